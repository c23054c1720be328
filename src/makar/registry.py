"""The one table from names to "module:attribute": codecs, families, recipes, sizing rules and metrics, built in or plugged in.

Built-ins and plug-ins go through the same table. A plug-in is an installed package with entry points in the group
``makar.codecs``, ``makar.families``, ``makar.recipes``, ``makar.sizings`` or ``makar.metrics``; its entry point is
the same "module:attribute" text that a built-in has here. A codec or family names its *configuration* class (which
imports no torch); that class names the implementation in ``target``. A recipe names a function that returns a
complete ``Recipe``. Nothing is imported before it is asked for.
"""

import functools
import importlib
from typing import Any

from makar.errors import UnknownNameError

ANY = "any"
"""Name of the rule that sizes families without one of their own."""

BUILT_IN: dict[str, dict[str, str]] = {
    "codecs": {
        "byte": "makar.codecs.text_config:ByteCodecConfig",
        "character": "makar.codecs.text_config:CharacterCodecConfig",
        "bpe": "makar.codecs.text_config:BpeCodecConfig",
        "molecule": "makar.codecs.molecule_config:MoleculeCodecConfig",
        "protein": "makar.codecs.protein_config:ProteinCodecConfig",
        "music": "makar.codecs.music_config:MusicCodecConfig",
        "turns": "makar.codecs.chat_config:ChatCodecConfig",
        "image": "makar.codecs.image_config:ImageCodecConfig",
        "sound": "makar.codecs.sound_config:SoundCodecConfig",
        "speech": "makar.codecs.speech_config:SpeechCodecConfig",
        "wave": "makar.codecs.wave_config:WaveCodecConfig",
        "transcript": "makar.codecs.transcript_config:TranscriptCodecConfig",
        "video": "makar.codecs.video_config:VideoCodecConfig",
        "backbone": "makar.codecs.backbone_config:BackboneCodecConfig",
        "latent": "makar.codecs.latent_config:LatentCodecConfig",
        "prompted-image": "makar.codecs.prompted_image_config:PromptedImageCodecConfig",
        "worded-sound": "makar.codecs.worded_sound_config:WordedSoundCodecConfig",
        "spoken-text": "makar.codecs.spoken_text_config:SpokenTextCodecConfig",
        "worded-video": "makar.codecs.worded_video_config:WordedVideoCodecConfig",
        "remote-text": "makar.codecs.remote_text_config:RemoteTextCodecConfig",
        "checkpoint-tokens": "makar.codecs.pretrained_text_config:PretrainedTextCodecConfig",
        "embedded": "makar.codecs.embedded_config:EmbeddedCodecConfig",
        "labelled-text": "makar.codecs.labelled_text_config:LabelledTextCodecConfig",
        "tagged-text": "makar.codecs.tagged_text_config:TaggedTextCodecConfig",
        "graded-text": "makar.codecs.graded_text_config:GradedTextCodecConfig",
        "question-text": "makar.codecs.question_text_config:QuestionTextCodecConfig",
        "similar-text": "makar.codecs.similar_text_config:SimilarTextCodecConfig",
        "text-pair": "makar.codecs.pair_config:PairCodecConfig",
        "summary": "makar.codecs.summary_config:SummaryCodecConfig",
    },
    "families": {
        "transformer": "makar.families.transformer.config:TransformerConfig",
        "chat": "makar.families.conversation.config:ChatConfig",
        "dpo": "makar.families.conversation.feedback_config:DpoConfig",
        "reward": "makar.families.conversation.feedback_config:RewardConfig",
        "policy": "makar.families.conversation.policy_config:PolicyConfig",
        "image-transformer": "makar.families.transformer.image_config:ImageTransformerConfig",
        "captioner": "makar.families.transformer.caption_config:CaptionerConfig",
        "diffusion": "makar.families.diffusion.config:DiffusionConfig",
        "recogniser": "makar.families.recogniser.config:RecogniserConfig",
        "vae": "makar.families.vae.config:VaeConfig",
        "vqvae": "makar.families.vqvae.config:VqvaeConfig",
        "sound-vqvae": "makar.families.vqvae.sound_config:SoundVqvaeConfig",
        "sound-transformer": "makar.families.transformer.sound_config:SoundTransformerConfig",
        "dcgan": "makar.families.gan.dcgan_config:DcganConfig",
        "contrastive": "makar.families.contrastive.config:ContrastiveConfig",
        "stylegan": "makar.families.gan.stylegan_config:StyleganConfig",
        "pretrained": "makar.families.pretrained.config:PretrainedConfig",
        "remote": "makar.families.remote.config:RemoteConfig",
        "pretrained-text": "makar.families.pretrained.text_config:PretrainedTextConfig",
        "pretrained-listener": "makar.families.pretrained.sound_config:ListenerConfig",
        "pretrained-speaker": "makar.families.pretrained.sound_config:SpeakerConfig",
        "pretrained-music": "makar.families.pretrained.sound_config:MusicConfig",
        "pretrained-sound-pipeline": "makar.families.pretrained.sound_config:SoundPipelineConfig",
        "pretrained-video": "makar.families.pretrained.video_config:VideoPipelineConfig",
        "pix2pix": "makar.families.gan.translation_config:Pix2pixConfig",
        "cyclegan": "makar.families.gan.translation_config:CycleganConfig",
        "bert": "makar.families.encoder.bert_config:BertConfig",
        "classifier": "makar.families.encoder.classifier_config:ClassifierConfig",
        "tagger": "makar.families.encoder.tagger_config:TaggerConfig",
        "regressor": "makar.families.encoder.regressor_config:RegressorConfig",
        "span-finder": "makar.families.encoder.span_finder_config:SpanFinderConfig",
        "embedder": "makar.families.encoder.embedder_config:EmbedderConfig",
        "seq2seq": "makar.families.seq2seq.config:Seq2seqConfig",
        "extractive": "makar.families.extractive.config:ExtractiveConfig",
        "wavenet": "makar.families.waveform.wavenet_config:WavenetConfig",
        "backbone-flow": "makar.families.backbone.config:BackboneConfig",
        "tacotron": "makar.families.tacotron.config:TacotronConfig",
        "vits": "makar.families.waveform.vits_config:VitsConfig",
        "vocoder": "makar.families.waveform.vocoder_config:VocoderConfig",
    },
    "recipes": {
        "text": "makar.recipes.text:text",
        "code": "makar.recipes.text:code",
        "molecule": "makar.recipes.sequences:molecule",
        "protein": "makar.recipes.sequences:protein",
        "protein-structure": "makar.recipes.structure:protein_structure",
        "protein-structure-class": "makar.recipes.structure:protein_structure_class",
        "musenet": "makar.recipes.music:musenet",
        "chat": "makar.recipes.conversation:chat",
        "dpo": "makar.recipes.conversation:dpo",
        "reward": "makar.recipes.conversation:reward",
        "rating": "makar.recipes.conversation:rating",
        "grpo": "makar.recipes.conversation:grpo",
        "ppo": "makar.recipes.conversation:ppo",
        "image": "makar.recipes.image:image",
        "image-class": "makar.recipes.image:image_class",
        "image-text": "makar.recipes.image:image_text",
        "flow": "makar.recipes.image:flow",
        "sound": "makar.recipes.sound:sound",
        "sound-class": "makar.recipes.sound:sound_class",
        "sound-text": "makar.recipes.sound:sound_text",
        "sound-vqvae": "makar.recipes.sound_tokens:sound_vqvae",
        "musicgen": "makar.recipes.sound_tokens:musicgen",
        "jukebox": "makar.recipes.sound_tokens:jukebox",
        "jukebox-lyrics": "makar.recipes.sound_tokens:jukebox_lyrics",
        "musiclm": "makar.recipes.sound_tokens:musiclm",
        "speech": "makar.recipes.speech:speech",
        "speech-voices": "makar.recipes.speech:speech_voices",
        "speech-clone": "makar.recipes.speech:speech_clone",
        "tacotron": "makar.recipes.speech:tacotron",
        "tacotron-voices": "makar.recipes.speech:tacotron_voices",
        "vits": "makar.recipes.speech:vits",
        "vits-voices": "makar.recipes.speech:vits_voices",
        "vocoder": "makar.recipes.waves:vocoder",
        "wavenet": "makar.recipes.waves:wavenet",
        "wavenet-class": "makar.recipes.waves:wavenet_class",
        "wavenet-vocoder": "makar.recipes.waves:wavenet_vocoder",
        "recogniser": "makar.recipes.recogniser:recogniser",
        "video": "makar.recipes.video:video",
        "video-class": "makar.recipes.video:video_class",
        "video-text": "makar.recipes.video:video_text",
        "ddpm": "makar.recipes.image:ddpm",
        "dalle": "makar.recipes.image_tokens:dalle",
        "image-tokens": "makar.recipes.image_tokens:image_tokens",
        "caption": "makar.recipes.caption:caption",
        "latent-diffusion": "makar.recipes.latent_images:latent_diffusion",
        "latent-video": "makar.recipes.latent_video:latent_video",
        "latent-video-text": "makar.recipes.latent_video:latent_video_text",
        "distill": "makar.recipes.distill:distill",
        "image-feedback": "makar.recipes.image_feedback:image_feedback",
        "controlnet": "makar.recipes.control:controlnet",
        "super-resolution": "makar.recipes.conditional_images:super_resolution",
        "colorize": "makar.recipes.conditional_images:colorize",
        "dalle2": "makar.recipes.imagined_images:dalle2",
        "vae": "makar.recipes.autoencoders:vae",
        "vqvae": "makar.recipes.autoencoders:vqvae",
        "dcgan": "makar.recipes.gan:dcgan",
        "clip": "makar.recipes.contrastive:clip",
        "stylegan": "makar.recipes.gan:stylegan",
        "lora": "makar.recipes.adapters:lora",
        "pix2pix": "makar.recipes.translation:pix2pix",
        "cyclegan": "makar.recipes.translation:cyclegan",
        "bert": "makar.recipes.reading:bert",
        "classify": "makar.recipes.reading:classify",
        "tag": "makar.recipes.reading:tag",
        "grade": "makar.recipes.reading:grade",
        "find-answer": "makar.recipes.reading:find_answer",
        "embed": "makar.recipes.reading:embed",
        "rewrite": "makar.recipes.rewriting:rewrite",
        "answer": "makar.recipes.rewriting:answer",
        "t5": "makar.recipes.rewriting:t5",
        "extract": "makar.recipes.extracting:extract",
    },
    "sizings": {
        "transformer": "makar.recipes.sizing:size_transformer",
        "chat": "makar.recipes.conversation:size_speaking",
        "dpo": "makar.recipes.conversation:size_speaking",
        "policy": "makar.recipes.conversation:size_speaking",
        "reward": "makar.recipes.conversation:size_speaking",
        "image-transformer": "makar.recipes.image_tokens:size_image_transformer",
        "captioner": "makar.recipes.caption:size_captioner",
        "diffusion": "makar.recipes.sizing:size_diffusion",
        "recogniser": "makar.recipes.recogniser:size_recogniser",
        "vae": "makar.recipes.autoencoders:size_vae",
        "vqvae": "makar.recipes.autoencoders:size_vqvae",
        "sound-vqvae": "makar.recipes.sound_tokens:size_sound_vqvae",
        "sound-transformer": "makar.recipes.sound_tokens:size_sound_transformer",
        "dcgan": "makar.recipes.sizing:size_gan",
        "contrastive": "makar.recipes.contrastive:size_contrastive",
        "stylegan": "makar.recipes.sizing:size_gan",
        "pretrained": "makar.recipes.adapters:size_adapter",
        "pix2pix": "makar.recipes.translation:size_translation",
        "cyclegan": "makar.recipes.translation:size_translation",
        "bert": "makar.recipes.reading:size_masked",
        "classifier": "makar.recipes.reading:size_reader",
        "tagger": "makar.recipes.reading:size_reader",
        "regressor": "makar.recipes.reading:size_reader",
        "span-finder": "makar.recipes.reading:size_reader",
        "embedder": "makar.recipes.reading:size_embedder",
        "seq2seq": "makar.recipes.rewriting:size_seq2seq",
        "extractive": "makar.recipes.extracting:size_extractive",
        "backbone-flow": "makar.recipes.structure:size_backbone",
        "tacotron": "makar.recipes.speech:size_tacotron",
        "vits": "makar.recipes.speech:size_vits",
        "wavenet": "makar.recipes.waves:size_wavenet",
        "vocoder": "makar.recipes.waves:size_vocoder",
        "any": "makar.recipes.sizing:size_any",
    },
    "metrics": {
        "text": "makar.evaluation.text:evaluate_text",
        "code": "makar.evaluation.code:evaluate_code",
        "chat": "makar.evaluation.chat:evaluate_chat",
        "dpo": "makar.evaluation.preferences:evaluate_preferences",
        "policy": "makar.evaluation.rewards:evaluate_rewards",
        "reward": "makar.evaluation.preferences:evaluate_judge",
        "molecule": "makar.evaluation.molecules:evaluate_molecules",
        "protein": "makar.evaluation.proteins:evaluate_proteins",
        "structure": "makar.evaluation.structures:evaluate_structures",
        "music": "makar.evaluation.music:evaluate_music",
        "image": "makar.evaluation.image:evaluate_image",
        "sound": "makar.evaluation.sound:evaluate_sound",
        "wavenet": "makar.evaluation.waves:evaluate_wavenet",
        "vocoder": "makar.evaluation.waves:evaluate_vocoder",
        "sound-vqvae": "makar.evaluation.sound_codes:evaluate_sound_codes",
        "video": "makar.evaluation.video:evaluate_video",
        "captioner": "makar.evaluation.captions:evaluate_captions",
        "recogniser": "makar.evaluation.recognition:evaluate_recognition",
        "pretrained-listener": "makar.evaluation.listening:evaluate_listening",
        "pretrained-speaker": "makar.evaluation.as_it_came:refuse_as_it_came",
        "pretrained-music": "makar.evaluation.as_it_came:refuse_as_it_came",
        "pretrained-sound-pipeline": "makar.evaluation.as_it_came:refuse_as_it_came",
        "pretrained-video": "makar.evaluation.as_it_came:refuse_as_it_came",
        "contrastive": "makar.evaluation.retrieval:evaluate_retrieval",
        "bert": "makar.evaluation.text_masks:evaluate_masks",
        "classifier": "makar.evaluation.text_classes:evaluate_classes",
        "tagger": "makar.evaluation.text_tags:evaluate_tags",
        "regressor": "makar.evaluation.text_numbers:evaluate_numbers",
        "span-finder": "makar.evaluation.text_answers:evaluate_answers",
        "embedder": "makar.evaluation.text_vectors:evaluate_vectors",
        "seq2seq": "makar.evaluation.rewriting:evaluate_rewriting",
        "extractive": "makar.evaluation.rewriting:evaluate_rewriting",
    },
}


@functools.cache
def names(table: str) -> dict[str, str]:
    """Return every name of a table with its "module:attribute" text; plug-ins may add names but not replace built-ins.

    Args:
        table: ``"codecs"``, ``"families"``, ``"recipes"``, ``"sizings"`` or ``"metrics"``.

    Raises:
        UnknownNameError: There is no such table.
    """
    if table not in BUILT_IN:
        raise UnknownNameError("registry table", table, BUILT_IN)
    # Reading what is installed takes longer than all else here, so --help must not pay for it.
    from importlib import metadata

    found = {point.name: point.value for point in metadata.entry_points(group=f"makar.{table}")}
    return {**found, **BUILT_IN[table]}


def load(table: str, name: str) -> Any:
    """Import and return what a name stands for.

    Raises:
        UnknownNameError: The name is not in the table; the nearest is proposed.
    """
    # A built-in needs no scan of the installed packages.
    text = BUILT_IN.get(table, {}).get(name)
    if text is None:
        known = names(table)
        if name not in known:
            raise UnknownNameError(table.removesuffix("s") if table != "families" else "family", name, known)
        text = known[name]
    return resolve(text)


def resolve(text: str) -> Any:
    """Import "module:attribute" and return the attribute."""
    module, _, attribute = text.partition(":")
    return getattr(importlib.import_module(module), attribute)


def config_class(kind: str) -> Any:
    """Return the configuration class of a codec or family by its ``kind``.

    Raises:
        UnknownNameError: No codec or family has that kind.
    """
    for table in ("codecs", "families"):
        if kind in BUILT_IN[table]:
            return resolve(BUILT_IN[table][kind])
    for table in ("codecs", "families"):
        if kind in names(table):
            return resolve(names(table)[kind])
    raise UnknownNameError("codec or family", kind, [*names("codecs"), *names("families")])
