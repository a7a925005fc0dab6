"""Generators of Optimum that have another name here: one class describes what several of Optimum's do, as the configuration says."""

from collections.abc import Mapping

OPTIMUM_NAMES: Mapping[str, str] = {
    "LongformerDummyTextInputGenerator": "DummyTextInputGenerator",
    "BartDummyTextInputGenerator": "DummyTextInputGenerator",
    "DummyCodegenDecoderTextInputGenerator": "DummyCodebookDecoderTextInputGenerator",
    "DummyDecisionTransformerInputGenerator": "DummyReinforcementLearningInputGenerator",
    "MistralDummyPastKeyValuesGenerator": "DummyPastKeyValuesGenerator",
    "GemmaDummyPastKeyValuesGenerator": "DummyPastKeyValuesGenerator",
    "DeepSeekV3DummyPastKeyValuesGenerator": "DummyPastKeyValuesGenerator",
    "FalconDummyPastKeyValuesGenerator": "DummyPastKeyValuesGenerator",
    "BloomDummyPastKeyValuesGenerator": "DummyPastKeyValuesGenerator",
    "GPTBigCodeDummyPastKeyValuesGenerator": "DummyPastKeyValuesGenerator",
    "T5DummySeq2SeqPastKeyValuesGenerator": "DummySeq2SeqPastKeyValuesGenerator",
    "DummyVisionEncoderDecoderPastKeyValuesGenerator": "DummySeq2SeqPastKeyValuesGenerator",
    "Dinov2DummyInputGenerator": "DummyVisionInputGenerator",
    "DummyVisionStaticInputGenerator": "DummyVisionInputGenerator",
    "PerceiverDummyInputGenerator": "DummyVisionInputGenerator",
    "VitPoseDummyInputGenerator": "DummyVisionInputGenerator",
    "DummyPix2StructInputGenerator": "DummyPatchesInputGenerator",
    "MCTCTDummyAudioInputGenerator": "DummyAudioInputGenerator",
    "Speech2TextDummyAudioInputGenerator": "DummyAudioInputGenerator",
    "ASTDummyAudioInputGenerator": "DummySpectrogramInputGenerator",
    "DummyMoonshineAudioInputGenerator": "DummyAudioInputGenerator",
    "DummySpeechT5InputGenerator": "DummySpeechSynthesisInputGenerator",
    "DummyEncodecInputGenerator": "DummyAudioCodesInputGenerator",
    "DummyPatchTSTInputGenerator": "DummyTimeSeriesInputGenerator",
    "DummyFluxTransformerVisionInputGenerator": "DummyPackedTransformerVisionInputGenerator",
    "DummyFluxTransformerTextInputGenerator": "DummyPackedTransformerTextInputGenerator",
    "DummySanaTransforemerTextInputGenerator": "DummyTransformerTextInputGenerator",
}
"""Optimum's name → ours; all other names are the same."""
