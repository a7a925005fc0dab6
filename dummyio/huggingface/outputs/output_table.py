"""The table of outputs: the outputs of each task, by Optimum's names, and their shapes in words.

A word is an axis: a symbol of the inputs (``batch_size``), an attribute of the configuration (``vocab_size``), a number, one of
the words below, or, with ``?``, a symbol of the output's own, for what depends on an architecture (patches, strides, queries).

===========  ==========================================================================================
``batch``    rows; those of the texts where images have a batch of their own: ``texts`` and ``images``
``length``   positions of the decoder's text, of the text, or ``?audio_frames`` of a sound
``encoded``  positions of an encoder's text
``hidden``   hidden size of the decoder or the text model
===========  ==========================================================================================

None stands for a shape of which not even the rank is known.
"""

from collections.abc import Mapping

_CLASSES = {"logits": "batch num_labels"}
_TOKENS = {"logits": "batch length vocab_size", "encoder_last_hidden_state": "batch encoded ?encoder_size"}
_SPAN = {"start_logits": "batch length", "end_logits": "batch length"}
_BOXES = {"logits": "images ?num_queries ?num_classes", "pred_boxes": "images ?num_queries 4"}
_QUERIES = {
    "class_queries_logits": "batch ?num_queries ?num_classes",
    "masks_queries_logits": "batch ?num_queries ?mask_height ?mask_width",
}
_PAIRS = {
    "logits_per_image": "images texts",
    "logits_per_text": "texts images",
    "text_embeds": "texts projection_dim",
    "image_embeds": "images projection_dim",
}
_DENSE = {"logits": "batch num_labels ?logits_height ?logits_width"}

OUTPUTS: Mapping[str, Mapping[str, str | None]] = {
    "feature-extraction": {
        "last_hidden_state": "batch length hidden",
        "pooler_output": "batch hidden",
        "encoder_last_hidden_state": "batch encoded ?encoder_size",
        **_PAIRS,
    },
    "fill-mask": _TOKENS,
    "text-generation": _TOKENS,
    "text2text-generation": _TOKENS,
    "image-text-to-text": _TOKENS,
    "image-to-text": _TOKENS,
    "automatic-speech-recognition": _TOKENS,
    "image-generation": {"logits": "batch length ?num_tokens"},
    "text-classification": _CLASSES,
    "image-classification": _CLASSES,
    "audio-classification": _CLASSES,
    "video-classification": _CLASSES,
    "token-classification": {"logits": "batch length num_labels"},
    "audio-frame-classification": {"logits": "batch ?audio_frames num_labels"},
    "audio-xvector": {"logits": "batch xvector_output_dim", "embeddings": "batch xvector_output_dim"},
    "multiple-choice": {"logits": "batch num_choices"},
    "next-sentence-prediction": {"logits": "batch 2"},
    "question-answering": _SPAN,
    "document-question-answering": _SPAN,
    "visual-question-answering": {"logits": "batch num_labels"},
    "table-question-answering": {"logits": "batch length", "logits_aggregation": "batch num_aggregation_labels"},
    "pretraining": {"prediction_logits": "batch length vocab_size", "seq_relationship_logits": "batch 2"},
    "zero-shot-image-classification": _PAIRS,
    "zero-shot-object-detection": _BOXES,
    "object-detection": _BOXES,
    "semantic-segmentation": _DENSE,
    "instance-segmentation": _QUERIES,
    "universal-segmentation": _QUERIES,
    "image-segmentation": {**_QUERIES, "pred_masks": "batch ?num_queries ?mask_height ?mask_width"},
    "mask-generation": {
        "iou_scores": "batch point_batch_size ?num_masks",
        "pred_masks": "batch point_batch_size ?num_masks ?mask_height ?mask_width",
    },
    "depth-estimation": {"predicted_depth": "batch ?depth_height ?depth_width"},
    "masked-im": {"reconstruction": "batch num_channels height width"},
    "image-to-image": {"reconstruction": "batch num_channels ?image_height ?image_width"},
    "image-matting": {"alphas": "batch 1 ?alpha_height ?alpha_width"},
    "normal-estimation": {"normals": "batch 3 ?normal_height ?normal_width"},
    "keypoint-detection": {
        "heatmaps": "batch ?num_keypoints ?heatmap_height ?heatmap_width",
        "keypoints": None,
        "scores": None,
    },
    "keypoint-matching": {"matches": None, "matching_scores": None, "keypoints": None},
    "text-recognition": {"last_hidden_state": None},
    "table-recognition": {"last_hidden_state": None},
    "text-to-audio": {"waveform": None, "spectrogram": None, "logits": None},
    "audio-tokenization": {"audio_codes": None, "audio_values": None},
    "backbone": {},
    "time-series-forecasting": {"prediction_outputs": None, "loc": None, "scale": None},
    "time-series-classification": {
        "prediction_logits": "batch ?num_targets",
        "prediction_outputs": "batch ?num_targets",
    },
    "time-series-regression": {"regression_outputs": None},
    "reinforcement-learning": {
        "state_preds": "batch length state_dim",
        "action_preds": "batch length act_dim",
        "return_preds": "batch length 1",
    },
    "retrieval": {"embeddings": None},
}
"""Task → output → its axes."""
