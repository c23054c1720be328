"""Tiny checkpoints of sound with random weights, of the classes, extractors and tokenizers of transformers, as people download them."""

import json

import numpy as np
import torch
import transformers
from tokenizers import pre_tokenizers

from makar.families.pretrained.checkpoint_settings import quiet_transformers
from tests.families.pretrained import tiny_checkpoints

WIDTH = 16
RATE = 16_000
LANGUAGES = ("en", "de", "gd")


def whisper_tokenizer(folder, *, positions):
    """Return Whisper's kind of tokenizer: single bytes, special tokens, and a token for every moment of a window, if there are any."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>"] if positions else []
    moments = [f"<|{0.02 * number:.2f}|>" for number in range(positions + 1)] if positions else []
    made = transformers.WhisperTokenizer(vocab={letter: at for at, letter in enumerate(letters)}, merges=[])
    made.add_tokens([transformers.AddedToken(name, special=True) for name in special], special_tokens=True)
    made.add_tokens(moments)
    made.save_pretrained(folder)
    return made


def whisper(folder, *, english=False, moments=True):
    """Save Whisper with a window of two seconds, of several languages or of English alone, and return the folder."""
    positions = 100
    tokenizer = whisper_tokenizer(folder, positions=positions if moments else 0)
    number = tokenizer.convert_tokens_to_ids
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=8,
        d_model=WIDTH,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        max_source_positions=positions,
        max_target_positions=24,
        decoder_start_token_id=number("<|startoftranscript|>"),
        bos_token_id=number("<|endoftext|>"),
        eos_token_id=number("<|endoftext|>"),
        pad_token_id=number("<|endoftext|>"),
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    network = transformers.WhisperForConditionalGeneration(config)
    said = {
        "decoder_start_token_id": number("<|startoftranscript|>"),
        "eos_token_id": number("<|endoftext|>"),
        "pad_token_id": number("<|endoftext|>"),
        "max_length": 24,
        "is_multilingual": not english,
        "suppress_tokens": [3, 5],
        "begin_suppress_tokens": [7, number("<|endoftext|>")],
    }
    if not english:
        said["lang_to_id"] = {f"<|{language}|>": number(f"<|{language}|>") for language in LANGUAGES}
        said["task_to_id"] = {task: number(f"<|{task}|>") for task in ("transcribe", "translate")}
    if moments:
        said |= {"no_timestamps_token_id": number("<|notimestamps|>"), "max_initial_timestamp_index": 50}
    network.generation_config = transformers.GenerationConfig(**said)
    extractor = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=2)
    extractor.save_pretrained(folder)
    return network


def wav2vec2(folder):
    """Save wav2vec 2.0 with a head of letters."""
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"EATFOXRSI'"]
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(letters)}))
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    network = transformers.Wav2Vec2ForCTC(
        transformers.Wav2Vec2Config(
            vocab_size=len(letters),
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            conv_dim=(8, 8, 8),
            conv_kernel=(10, 8, 4),
            conv_stride=(5, 8, 4),
            num_feat_extract_layers=3,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
            pad_token_id=0,
        )
    )
    return network


def vits(folder, *, voices=1, **how):
    """Save a VITS that reads letters, as MMS has them."""
    letters = ["<pad>", *"abcdefghijklmnopqrstuvwxyz' ", "<unk>"]
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(letters)}))
    transformers.VitsTokenizer(str(folder / "vocab.json"), phonemize=False, language="eng", **how).save_pretrained(
        folder
    )
    config = transformers.VitsConfig(
        vocab_size=len(letters),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=24,
        window_size=2,
        flow_size=WIDTH,
        spectrogram_bins=9,
        upsample_initial_channel=16,
        upsample_rates=(4, 4),
        upsample_kernel_sizes=(8, 8),
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3),),
        prior_encoder_num_flows=2,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        duration_predictor_num_flows=2,
        duration_predictor_filter_channels=WIDTH,
        depth_separable_channels=2,
        depth_separable_num_layers=1,
        num_speakers=voices,
        speaker_embedding_size=4 if voices > 1 else 0,
    )
    return transformers.VitsModel(config)


def letter_pieces(letters):
    """Return a model of SentencePiece with single letters, as its library writes it."""
    special = [("<s>", 3), ("<pad>", 3), ("</s>", 3), ("<unk>", 2)]
    content = b""
    for text, kind in [*special, *((letter, 1) for letter in letters)]:
        piece = _field(1, text.encode()) + b"\x15\0\0\x80\xbf" + bytes([3 << 3, kind])
        content += _field(1, piece)
    return content + _field(2, bytes([3 << 3, 4]))


def _field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def speecht5(folder, *, voices=("ann", "bob")):
    """Save a SpeechT5 that speaks, with its vocoder and vectors of speakers."""
    letters = ["\u2581", *"abcdefghijklmnopqrstuvwxyz."]
    (folder / "spm_char.model").write_bytes(letter_pieces(letters))
    for number, name in enumerate(voices):
        (folder / "voices").mkdir(exist_ok=True)
        np.save(folder / "voices" / f"{name}.npy", np.random.default_rng(number).normal(size=6).astype(np.float32))
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = transformers.SpeechT5Config(
        vocab_size=len(letters) + 4,
        hidden_size=WIDTH,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        num_mel_bins=8,
        speech_decoder_prenet_units=WIDTH,
        speech_decoder_postnet_units=WIDTH,
        speech_decoder_postnet_layers=2,
        speaker_embedding_dim=6,
        reduction_factor=2,
        **sizes,
    )
    vocoder = transformers.SpeechT5HifiGan(
        transformers.SpeechT5HifiGanConfig(
            model_in_dim=8,
            upsample_initial_channel=8,
            upsample_rates=(4, 4),
            upsample_kernel_sizes=(8, 8),
            resblock_kernel_sizes=(3,),
            resblock_dilation_sizes=((1, 3),),
        )
    )
    _scatter(vocoder)
    vocoder.save_pretrained(folder / "vocoder")
    return transformers.SpeechT5ForTextToSpeech(config)


def musicgen(folder, *, channels=1):
    """Save a MusicGen of one or two channels."""
    tokenizer = tiny_checkpoints.end_tokenizer()
    tokenizer.save_pretrained(folder)
    words = transformers.T5Config(vocab_size=len(tokenizer), d_model=WIDTH, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    sounds = transformers.EncodecConfig(
        sampling_rate=RATE,
        target_bandwidths=[0.8],
        upsampling_ratios=[8, 8, 5],
        num_filters=4,
        hidden_size=8,
        codebook_size=16,
        codebook_dim=8,
        num_lstm_layers=1,
        num_residual_layers=1,
        last_kernel_size=3,
        use_causal_conv=False,
    )
    writer = transformers.MusicgenDecoderConfig(
        vocab_size=16,
        hidden_size=WIDTH,
        ffn_dim=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_codebooks=4 * channels,
        audio_channels=channels,
        max_position_embeddings=256,
        pad_token_id=16,
        bos_token_id=16,
    )
    config = transformers.MusicgenConfig(text_encoder=words, audio_encoder=sounds, decoder=writer)
    network = transformers.MusicgenForConditionalGeneration(config)
    numbers = dict.fromkeys(("pad_token_id", "bos_token_id", "decoder_start_token_id"), 16)
    network.generation_config = transformers.GenerationConfig(
        do_sample=True, guidance_scale=3.0, max_length=64, **numbers
    )
    return network


BIASED = {
    "wav2vec2": {"lm_head.bias": [1.5, -60.0, -60.0, -60.0, 0.5]},
    "speecht5": {"speech_decoder_postnet.prob_out.bias": [-30.0, -30.0]},
}
"""By name and tensor: what the first numbers of a bias are, so that letters are parted, special tokens never heard, and speech goes on."""


@torch.no_grad()
def _scatter(network):
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=0.3)
    for name, buffer in network.named_buffers():
        # Codes of sounds are learned without gradients, and are all zero before.
        if name.endswith("codebook.embed"):
            buffer.normal_()


def save(name, folder, **how):
    """Save one of the above with weights that are far from zero, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = globals()[name](folder, **how)
    _scatter(network)
    with torch.no_grad():
        for tensor, values in BIASED.get(name, {}).items():
            network.get_parameter(tensor)[: len(values)] = torch.tensor(values)
    network.save_pretrained(folder)
    return folder


class Saved:
    """Folders of checkpoints by name, each saved when it is first asked for."""

    def __init__(self, place, **wanted):
        self._place, self._wanted = place, wanted

    def __getitem__(self, name):
        folder = self._place / name
        if not folder.exists():
            kind, how = self._wanted[name]
            with quiet_transformers():
                save(kind, folder, **how)
        return folder
