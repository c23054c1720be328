"""Settings that a test of their own shows, where nothing less will do than a model that has taken steps."""

SHOWN_ELSEWHERE = {
    ("classifier", "gram_rate"): "families/encoder/test_classifier.py",
    ("regressor", "gram_rate"): "families/encoder/test_classifier.py",
    ("tagger", "feature_rate"): "families/encoder/test_tagger.py",
    ("tagger", "words"): "families/encoder/test_tagger.py",
    ("chat", "stop"): "families/transformer/test_sampler.py",
    ("dpo", "stop"): "families/transformer/test_sampler.py",
    ("policy", "stop"): "families/transformer/test_sampler.py",
    ("policy", "reward"): "families/conversation/test_policy.py",
    ("policy", "judge"): "families/conversation/test_policy.py",
    ("reward", "gram_rate"): "families/conversation/test_feedback.py",
    ("policy", "pattern"): "families/conversation/test_policy.py",
    ("policy", "clip"): "families/conversation/test_policy.py",
    ("policy", "largest_divergence"): "families/conversation/test_policy.py",
    ("diffusion", "picture_weight"): "families/diffusion/test_pictures_among_clips.py",
    ("diffusion", "guided"): "families/diffusion/test_distillation.py",
    ("diffusion", "student_steps"): "families/diffusion/test_distillation.py",
    ("recogniser", "frames"): "families/recogniser/test_recogniser.py",
    ("recogniser", "letters"): "families/recogniser/test_recogniser.py",
    ("vae", "prior"): "families/vae/test_vae_sampler.py",
    ("cyclegan", "history"): "families/gan/test_cyclegan.py",
    ("vqvae", "decay"): "families/vqvae/test_vqvae.py",
    **{("sound-vqvae", name): "families/vqvae/test_sound_vqvae.py" for name in ("frames", "decay", "restart_share")},
    ("vqvae", "restart_share"): "nn/test_quantiser.py",
    **{
        ("sound-transformer", name): "families/transformer/test_sound_transformer.py"
        for name in ("lyrics", "lyric_frames", "lyric_dropout")
    },
    ("seq2seq", "source_length"): "families/seq2seq/test_seq2seq.py",
    ("seq2seq", "noise_share"): "families/seq2seq/test_spans.py",
    ("seq2seq", "span_length"): "families/seq2seq/test_spans.py",
    ("seq2seq", "marks"): "families/seq2seq/test_spans.py",
    ("extractive", "sentences"): "families/extractive/test_extractive.py",
    ("extractive", "words"): "families/extractive/test_extractive.py",
    ("extractive", "diversity"): "families/extractive/test_extractive.py",
    ("seq2seq", "length_penalty"): "families/seq2seq/test_beam_search.py",
    ("prompted-image", "caption"): "codecs/test_prompted_image.py",
    ("speech", "use_times"): "codecs/test_spoken_units.py",
    ("speech", "pitch_shift"): "codecs/test_moved_voice.py",
    ("tacotron", "label"): "families/tacotron/test_tacotron.py",
    ("vits", "label"): "families/waveform/test_vits.py",
    ("vits", "temperature"): "families/waveform/test_vits.py",
    ("remote", "name"): "families/remote/test_remote.py",
    ("remote", "base_url"): "families/remote/test_remote.py",
    ("checkpoint-tokens", "vocabulary"): "codecs/test_pretrained_text.py",
    **{
        ("pretrained-text", name): "families/pretrained/test_text_checkpoints.py"
        for name in ("base", "architecture", "task", "vocabulary", "context", "weights", "labels")
    },
    **{("pretrained-text", name): "families/conversation/test_over_checkpoints.py" for name in ("width", "network")},
    ("turns", "template"): "families/conversation/test_over_checkpoints.py",
    **{
        ("pretrained-text", name): "families/pretrained/test_text_adapters.py"
        for name in ("linears", "inputs", "outputs", "adapter", "recompute")
    },
    **{
        ("pretrained-listener", name): "families/pretrained/test_listening.py"
        for name in ("base", "architecture", "rate_hz", "channels", "weights", "task", "seconds")
    },
    **{
        ("pretrained-speaker", name): "families/pretrained/test_speaking.py"
        for name in ("base", "architecture", "rate_hz", "channels", "weights", "task", "voices")
    },
    **{
        ("pretrained-music", name): "families/pretrained/test_music_checkpoints.py"
        for name in ("base", "architecture", "rate_hz", "channels", "weights", "streams", "hop", "moments")
    },
    **{
        ("pretrained-sound-pipeline", name): "families/pretrained/test_music_checkpoints.py"
        for name in ("base", "architecture", "rate_hz", "channels", "weights")
    },
    **{
        ("pretrained-video", name): "families/pretrained/test_video_pipelines.py"
        for name in ("base", "architecture", "rate_hz", "weights")
    },
    ("worded-video", "caption_bytes"): "codecs/test_worded_sound.py",
    ("worded-sound", "caption_bytes"): "codecs/test_worded_sound.py",
    ("spoken-text", "part_characters"): "codecs/test_worded_sound.py",
    ("transformer", "adapter"): "families/transformer/test_adapted.py",
    ("transformer", "recompute"): "families/transformer/test_adapted.py",
    ("pretrained", "class_images"): "families/pretrained/test_adapter.py",
    ("pretrained", "class_steps"): "families/pretrained/test_adapter.py",
    ("pretrained", "guidance"): "families/pretrained/test_sampler.py",
    ("pretrained", "true_guidance"): "families/pretrained/test_sampler.py",
    ("pretrained", "shift"): "families/pretrained/test_sampler.py",
    ("pretrained", "control_scale"): "families/pretrained/test_sampler.py",
    ("pretrained", "edit"): "families/pretrained/test_sampler.py",
}
"""By codec or family and setting: the test that shows it on a model that has taken steps, where nothing less will do."""
