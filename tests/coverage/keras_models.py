"""Models of Keras Applications and backbones of Keras Hub, small, with random weights: each route of TensorFlow is measured on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from tensorflow_cases import CASES, HEADS, MIT, QUERIES, SMALL, VIT, hub, hub_part, warm, with_softmax_off

_SIZES = {"Xception": 72, "InceptionV3": 80, "InceptionResNetV2": 80}
"""The sides of images where the smallest that most families allow is not enough."""
_SMALLEST = 64
_FAMILIES = (
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "VGG16",
    "ResNet50",
    "ResNet50V2",
    "DenseNet121",
    "Xception",
    "NASNetMobile",
    "InceptionV3",
    "ConvNeXtTiny",
    "InceptionResNetV2",
)


def headless(name: str) -> Callable[[], Any]:
    """Return a function that builds a Keras application without its classifier, for images of any size."""
    return lambda: warm(getattr(keras.applications, name)(weights=None, include_top=False))


def warmed(build: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that builds a model with normalization layers which have seen noise."""
    return lambda: warm(build())


_EXPERTS = {**QUERIES, "num_experts": 4, "top_k": 2}
_QWEN_EXPERTS = {**_EXPERTS, "moe_intermediate_dim": 32}
_T5_GEMMA = {
    f"{part}_{key}": value
    for part in ("encoder", "decoder")
    for key, value in {
        "hidden_dim": 32,
        "intermediate_dim": 64,
        "num_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "layer_types": ["full_attention", "sliding_attention"],
    }.items()
}
_IMAGES = {"image_shape": (32, 32, 3), "num_layers": 2, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 64}
_TEXTS = {**SMALL, "num_heads": 2, "embedding_dim": 32, "max_sequence_length": 40}
_RESNET = {
    "input_conv_filters": [8],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 16, 32, 64],
    "stackwise_num_blocks": [1, 1, 1, 1],
    "stackwise_num_strides": [1, 2, 2, 2],
    "block_type": "bottleneck_block",
}
_EFFICIENT_NET = {
    "stackwise_kernel_sizes": [3, 5, 3],
    "stackwise_num_repeats": [1, 2, 1],
    "stackwise_input_filters": [8, 8, 16],
    "stackwise_output_filters": [8, 16, 24],
    "stackwise_expansion_ratios": [1, 4, 4],
    "stackwise_squeeze_and_excite_ratios": [0.0, 0.25, 0.25],
    "stackwise_strides": [1, 2, 2],
    "stackwise_block_types": ["fused", "unfused", "unfused"],
    "stackwise_force_input_filters": [0, 0, 0],
    "stackwise_nores_option": [False, False, False],
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
}
_MOBILE_NET = {
    "stackwise_expansion": [[8, 16], [16, 24]],
    "stackwise_num_blocks": [2, 2],
    "stackwise_num_filters": [[8, 8], [16, 16]],
    "stackwise_kernel_size": [[3, 3], [5, 5]],
    "stackwise_num_strides": [[2, 1], [2, 1]],
    "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
    "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
    "stackwise_padding": [[1, 1], [2, 2]],
    "output_num_filters": 32,
    "input_num_filters": 8,
    "depthwise_filters": 8,
    "depthwise_stride": 2,
    "depthwise_residual": False,
    "last_layer_filter": 32,
}
_HG_NET = {
    "depths": [1, 1],
    "embedding_size": 8,
    "hidden_sizes": [16, 32],
    "stem_channels": [3, 8, 8],
    "hidden_act": "relu",
    "use_learnable_affine_block": True,
    "stackwise_stage_filters": [(8, 8, 16, 1, 2, 3), (16, 8, 32, 1, 2, 5)],
    "apply_downsample": [False, True],
    "use_lightweight_conv_block": [False, True],
}
_SMOL_LM = {
    **SMALL,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "rope_layer_enabled_list": [True, False],
    "layer_types": ["attention", "attention"],
    "mlp_bias": False,
    "layer_norm_epsilon": 1e-5,
    "max_position_embeddings": 40,
    "rope_theta": 10000.0,
    "partial_rotary_factor": 1.0,
}
_MOONSHINE = {
    "vocabulary_size": 64,
    "filter_dim": 16,
    "encoder_num_layers": 1,
    "decoder_num_layers": 1,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "encoder_num_heads": 2,
    "decoder_num_heads": 2,
}
_PALI_GEMMA = {
    **QUERIES,
    "head_dim": 16,
    "image_size": 32,
    "vit_patch_size": 8,
    "vit_num_heads": 2,
    "vit_hidden_dim": 16,
    "vit_num_layers": 1,
}
_FLUX = {
    "input_channels": 8,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 10000,
    "use_bias": True,
    "image_shape": (16, 8),
    "image_ids_shape": (16, 3),
    "text_shape": (8, 12),
    "text_ids_shape": (8, 3),
    "y_shape": (12,),
}
_VAE = {
    "encoder_num_filters": [32, 32],
    "encoder_num_blocks": [1, 1],
    "decoder_num_filters": [32, 32],
    "decoder_num_blocks": [1, 1],
    "sampler_method": "mode",
    "sample_channels": 8,
}
_MMDIT = {
    "patch_size": 2,
    "hidden_dim": 32,
    "num_layers": 2,
    "num_heads": 2,
    "position_size": 16,
    "latent_shape": (16, 16, 4),
    "context_shape": (None, 32),
    "pooled_projection_shape": (32,),
}
_VIT_DET = {
    "hidden_size": 16,
    "num_layers": 2,
    "intermediate_dim": 32,
    "num_heads": 2,
    "global_attention_layer_indices": [1],
    "image_shape": (64, 64, 3),
    "patch_size": 8,
    "num_output_channels": 8,
    "window_size": 4,
}
_SWIN = {"image_shape": (64, 64, 3), "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4}
_RWKV = {"gate_lora": 8, "mv_lora": 8, "aaa_lora": 8, "decay_lora": 8}
_RQVAE = {
    "input_dim": 16,
    "encoder_layer_dims": [16],
    "output_dim": 8,
    "decoder_layer_dims": [16],
    "num_embeddings": 12,
}
_RECOMMENDER = {"vocab_size": 64, "num_layers_enc": 1, "num_layers_dec": 1, "hidden_dim": 32, "intermediate_dim": 64}
_DEPTH = {
    "reassemble_factors": [4, 2, 1, 0.5],
    "neck_hidden_dims": [8, 8, 16, 16],
    "fusion_hidden_dim": 16,
    "head_hidden_dim": 8,
    "head_in_index": -1,
    "feature_keys": ["stage1", "stage2", "stage3", "stage4"],
}
_SRC = "keras_hub.src.models"

BACKBONES: dict[str, Callable[[], Any]] = {
    **{name: build for name, build in CASES.items() if name.endswith("Backbone")},
    "DistilBertBackbone": hub("DistilBert", **HEADS),
    "ElectraBackbone": hub(
        "Electra",
        **{key: value for key, value in HEADS.items() if key != "vocabulary_size"},
        vocab_size=64,
        embedding_dim=16,
    ),
    "XLMRobertaBackbone": hub("XLMRoberta", **HEADS),
    "RoformerV2Backbone": hub("RoformerV2", **SMALL, num_heads=2, head_size=16),
    "ESM2Backbone": hub("ESM2", **HEADS),
    "XLNetBackbone": hub("XLNet", **SMALL, num_heads=2),
    "OPTBackbone": hub("OPT", **HEADS),
    "GPTNeoXBackbone": hub("GPTNeoX", **HEADS),
    "BloomBackbone": hub("Bloom", **SMALL, num_heads=2),
    "FalconBackbone": hub("Falcon", **SMALL, num_attention_heads=2),
    "Llama3Backbone": hub("Llama3", **QUERIES),
    "MistralBackbone": hub("Mistral", **QUERIES, sliding_window=6),
    "MixtralBackbone": hub("Mixtral", **_EXPERTS),
    "GptOssBackbone": hub("GptOss", **_EXPERTS),
    "Gemma3Backbone": hub("Gemma3", **QUERIES, head_dim=16, image_size=None),
    "QwenBackbone": hub("Qwen", **QUERIES),
    "QwenMoeBackbone": hub("QwenMoe", **_QWEN_EXPERTS, shared_expert_intermediate_dim=32),
    "Qwen3Backbone": hub("Qwen3", **QUERIES, head_dim=16),
    "Qwen3MoeBackbone": hub("Qwen3Moe", **_QWEN_EXPERTS, head_dim=16),
    "Phi3Backbone": hub("Phi3", **QUERIES),
    "SmolLM3Backbone": hub("SmolLM3", **_SMOL_LM),
    "RWKV7Backbone": hub("RWKV7", **{**SMALL, "hidden_size": 32, "head_size": 16, **_RWKV}),
    "T5GemmaBackbone": hub("T5Gemma", vocabulary_size=64, sliding_window=6, **_T5_GEMMA),
    "EdRecBackbone": hub("EdRec", **_RECOMMENDER, num_heads=2),
    "RQVAEBackbone": hub_part("RQVAEBackbone", f"{_SRC}.rqvae.rqvae_backbone", **_RQVAE, num_quantizers=2),
    "MoonshineBackbone": hub("Moonshine", **_MOONSHINE),
    "DeiTBackbone": hub("DeiT", **_IMAGES, patch_size=(8, 8)),
    "DINOV2Backbone": hub("DINOV2", **_IMAGES, patch_size=8, position_embedding_shape=(48, 48, 3)),
    "DINOV3Backbone": hub("DINOV3", **_IMAGES, patch_size=8),
    "ViTDetBackbone": hub("ViTDet", **_VIT_DET),
    "SwinTransformerBackbone": hub("SwinTransformer", **_SWIN),
    "ResNetBackbone": warmed(hub("ResNet", **_RESNET)),
    "DenseNetBackbone": warmed(hub("DenseNet", stackwise_num_repeats=[2, 2], growth_rate=8)),
    "EfficientNetBackbone": warmed(hub("EfficientNet", **_EFFICIENT_NET)),
    "MobileNetBackbone": warmed(hub("MobileNet", **_MOBILE_NET)),
    "CSPNetBackbone": warmed(
        hub(
            "CSPNet",
            stem_filters=8,
            stem_kernel_size=3,
            stem_strides=1,
            stackwise_depth=[1, 2],
            stackwise_strides=[1, 2],
            stackwise_num_filters=[8, 16],
            block_type="dark_block",
            stage_type="dark",
        )
    ),
    "VGGBackbone": hub("VGG", stackwise_num_repeats=[1, 2], stackwise_num_filters=[8, 16]),
    "XceptionBackbone": warmed(
        hub("Xception", stackwise_conv_filters=[[8, 8], [16, 16]], stackwise_pooling=[True, False])
    ),
    "HGNetV2Backbone": warmed(hub("HGNetV2", **_HG_NET)),
    "SegFormerBackbone": warmed(hub("SegFormer", image_encoder=hub("MiT", **MIT), projection_filters=16)),
    "RetinaNetBackbone": warmed(
        hub("RetinaNet", image_encoder=hub("ResNet", **_RESNET), min_level=3, max_level=5, use_p5=False)
    ),
    "DeepLabV3Backbone": warmed(
        hub(
            "DeepLabV3",
            image_encoder=hub("ResNet", **_RESNET),
            spatial_pyramid_pooling_key="P5",
            low_level_feature_key="P2",
            upsampling_size=8,
            dilation_rates=[2, 3, 4],
        )
    ),
    "DepthAnythingBackbone": hub(
        "DepthAnything",
        image_encoder=hub(
            "DINOV2",
            **{**_IMAGES, "num_layers": 4, "image_shape": (64, 64, 3)},
            patch_size=8,
            position_embedding_shape=(64, 64, 3),
            apply_layernorm=True,
        ),
        **_DEPTH,
    ),
    "PARSeqBackbone": hub(
        "PARSeq",
        image_encoder=hub("ViT", **VIT, use_class_token=False),
        vocabulary_size=16,
        max_label_length=8,
        decoder_hidden_dim=32,
        num_decoder_layers=1,
        num_decoder_heads=2,
        decoder_mlp_dim=64,
    ),
    "VideoPrismBackbone": hub(
        "VideoPrism",
        num_frames=4,
        patch_size=8,
        hidden_dim=32,
        intermediate_dim=64,
        num_heads=2,
        num_spatial_layers=1,
        num_temporal_layers=1,
        num_auxiliary_layers=0,
        image_shape=(32, 32, 3),
    ),
    "CLIPBackbone": hub(
        "CLIP",
        vision_encoder=hub_part("CLIPVisionEncoder", **_IMAGES, patch_size=8),
        text_encoder=hub_part("CLIPTextEncoder", **_TEXTS),
        projection_dim=16,
    ),
    "SigLIPBackbone": hub(
        "SigLIP",
        vision_encoder=hub_part("SigLIPVisionEncoder", **_IMAGES, patch_size=8),
        text_encoder=hub_part("SigLIPTextEncoder", **_TEXTS, projection_dim=32),
    ),
    "PaliGemmaBackbone": hub("PaliGemma", **_PALI_GEMMA),
    "VAEBackbone": hub_part("VAEBackbone", f"{_SRC}.vae.vae_backbone", **_VAE),
    "FluxBackbone": hub("Flux", **_FLUX),
    "MMDiT, of Stable Diffusion 3": hub_part("MMDiT", f"{_SRC}.stable_diffusion_3.mmdit", **_MMDIT),
}

APPLICATIONS: dict[str, Callable[[], Any]] = {
    **{name: with_softmax_off(name, _SIZES.get(name, _SMALLEST)) for name in _FAMILIES},
    **{f"{name}, without its classifier": headless(name) for name in _FAMILIES},
}

MODELS: dict[str, Callable[[], Any]] = {**BACKBONES, **APPLICATIONS}
