"""Pipelines of diffusers' own classes, tiny and with random weights, saved as the folders that people download."""

import torch
from diffusers import (
    AudioLDMPipeline,
    AutoencoderKL,
    AutoencoderKLLTXVideo,
    AutoencoderKLWan,
    AutoencoderOobleck,
    ControlNetModel,
    DDIMScheduler,
    EDMDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    SD3Transformer2DModel,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
    StableDiffusion3Pipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    WanPipeline,
    WanTransformer3DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ClapTextConfig,
    ClapTextModelWithProjection,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

TOKENS = 24
WIDTH = 8
SIDE = 16
"""Pixels along each side of the images."""


def clip_tokenizer():
    """Return a tokenizer of single bytes."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=TOKENS)


def text_encoder(*, projects=False):
    """Return a text encoder of one layer."""
    count = len(clip_tokenizer())
    config = CLIPTextConfig(
        vocab_size=count,
        hidden_size=WIDTH,
        intermediate_size=16,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=count - 2,
        eos_token_id=count - 1,
        pad_token_id=count - 1,
    )
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config).eval()


def t5():
    """Return a T5 encoder of one layer with a tokenizer of letters."""
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters += [(chr(code), -3.0) for code in range(33, 127)]
    tokenizer = T5TokenizerFast(vocab=letters, extra_ids=0, model_max_length=TOKENS)
    config = T5Config(vocab_size=len(tokenizer), d_model=WIDTH, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    return tokenizer, T5EncoderModel(config).eval()


def autoencoder(*, channels=4):
    """Return an autoencoder that halves each side."""
    return AutoencoderKL(
        block_out_channels=(4, 8),
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        sample_size=SIDE,
        shift_factor=0.06,
    ).eval()


def unet(**changes):
    """Return a U-Net of two levels."""
    settings = {
        "sample_size": SIDE // 2,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 2,
        "attention_head_dim": 2,
        "cross_attention_dim": WIDTH,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        **changes,
    }
    return UNet2DConditionModel(**settings).eval()


def scheduler(**changes):
    """Return the scheduler of Stable Diffusion."""
    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
    return DDIMScheduler(**settings, set_alpha_to_one=False, steps_offset=1, **changes)


def stable_diffusion():
    """Return Stable Diffusion 1."""
    torch.manual_seed(0)
    return StableDiffusionPipeline(
        vae=autoencoder(),
        text_encoder=text_encoder(),
        tokenizer=clip_tokenizer(),
        unet=unet(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_2():
    """Return Stable Diffusion 2: it predicts the velocity."""
    pipeline = stable_diffusion()
    pipeline.scheduler = scheduler(prediction_type="v_prediction")
    return pipeline


def stable_diffusion_xl():
    """Return Stable Diffusion XL."""
    torch.manual_seed(0)
    return StableDiffusionXLPipeline(
        vae=autoencoder(),
        text_encoder=text_encoder(),
        text_encoder_2=text_encoder(projects=True),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=unet(
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=6 * 4 + WIDTH,
        ),
        scheduler=scheduler(),
        add_watermarker=False,
    )


def stable_diffusion_3():
    """Return Stable Diffusion 3 with its three text encoders."""
    torch.manual_seed(0)
    tokenizer, encoder = t5()
    transformer = SD3Transformer2DModel(
        sample_size=SIDE // 2,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        attention_head_dim=4,
        num_attention_heads=4,
        joint_attention_dim=2 * WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=2 * WIDTH,
        out_channels=16,
    )
    encoder = T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=2 * WIDTH, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    ).eval()
    return StableDiffusion3Pipeline(
        transformer=transformer.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(channels=16),
        text_encoder=text_encoder(projects=True),
        tokenizer=clip_tokenizer(),
        text_encoder_2=text_encoder(projects=True),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=encoder,
        tokenizer_3=tokenizer,
    )


def flux():
    """Return Flux with its two text encoders."""
    torch.manual_seed(0)
    tokenizer, encoder = t5()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=(2, 2, 4),
        guidance_embeds=True,
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=autoencoder(),
        text_encoder=text_encoder(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=encoder,
        tokenizer_2=tokenizer,
        transformer=transformer.eval(),
    )


def controlled():
    """Return Stable Diffusion 1 with a ControlNet whose outputs are not zero."""
    pipeline = stable_diffusion()
    network = ControlNetModel.from_unet(pipeline.unet, conditioning_embedding_out_channels=(4, 8))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return StableDiffusionControlNetPipeline(
        **pipeline.components, controlnet=network.eval(), requires_safety_checker=False
    )


def audio_ldm():
    """Return AudioLDM, whose words are one vector of CLAP."""
    torch.manual_seed(0)
    letters = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    tokenizer = RobertaTokenizer(
        vocab={word: at for at, word in enumerate(letters)}, merges=[], model_max_length=TOKENS
    )
    words = ClapTextConfig(
        vocab_size=len(letters),
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TOKENS + 2,
        projection_dim=WIDTH,
    )
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
        attention_head_dim=4,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=WIDTH,
        class_embeddings_concat=True,
    )
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=(4, 8),
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
    )
    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=8,
            upsample_initial_channel=16,
            upsample_rates=[16, 10],
            upsample_kernel_sizes=[32, 20],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]],
            initializer_range=0.3,
            normalize_before=False,
        )
    )
    return AudioLDMPipeline(
        vae=vae.eval(),
        text_encoder=ClapTextModelWithProjection(words).eval(),
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False),
        vocoder=vocoder.eval(),
    )


def stable_audio():
    """Return Stable Audio of two channels, without the scheduler that needs a further package."""
    torch.manual_seed(0)
    tokenizer, encoder = t5()
    return StableAudioPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=6,
            downsampling_ratios=[1, 2],
            decoder_channels=3,
            decoder_input_channels=3,
            audio_channels=2,
            channel_multiples=[2, 4],
            sampling_rate=8000,
        ).eval(),
        text_encoder=encoder,
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=WIDTH, conditioning_dim=4, min_value=0, max_value=32
        ),
        tokenizer=tokenizer,
        transformer=StableAudioDiTModel(
            sample_size=800,
            in_channels=3,
            num_layers=1,
            attention_head_dim=4,
            num_attention_heads=2,
            num_key_value_attention_heads=2,
            out_channels=3,
            cross_attention_dim=4,
            time_proj_dim=8,
            global_states_input_dim=8,
            cross_attention_input_dim=4,
        ).eval(),
        scheduler=EDMDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    )


def wan():
    """Return Wan, of which four frames behind the first are kept as one."""
    torch.manual_seed(0)
    tokenizer, encoder = t5()
    return WanPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder,
        vae=AutoencoderKLWan(
            base_dim=3, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ).eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        transformer=WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=4,
            out_channels=4,
            text_dim=WIDTH,
            freq_dim=16,
            ffn_dim=16,
            num_layers=1,
            rope_max_seq_len=32,
        ).eval(),
    )  # fmt: skip


def ltx():
    """Return LTX."""
    torch.manual_seed(0)
    tokenizer, encoder = t5()
    vae = AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    return LTXPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder,
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        transformer=LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            patch_size=1,
            patch_size_t=1,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            num_layers=1,
            caption_channels=WIDTH,
        ).eval(),
    )
