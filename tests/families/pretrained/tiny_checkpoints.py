"""Tiny checkpoints with random weights of the classes and kinds of tokenizers of transformers, saved as the folders people download."""

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

WIDTH = 16
CONTEXT = 64
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = ["the", "fox", "rain", "in", "london", "anna", "lives", "where", "does", "was", "dark", "night", "?", ".", ","]


def byte_tokenizer(*, begin=None, template=None):
    """Return a tokenizer of single bytes: GPT-2's and Qwen's kind; with the token that begins texts, as Llama 3 has it."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    names = ["<|endoftext|>", *([begin] if begin else []), "<|im_start|>", "<|im_end|>"]
    own.add_special_tokens(names)
    if begin:
        own.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, own.token_to_id(begin))]
        )
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, eos_token="<|endoftext|>", bos_token=begin, model_max_length=CONTEXT
    )
    made.chat_template = template
    return made


def piece_tokenizer():
    """Return a SentencePiece-like tokenizer that drops the space of a first word: Llama's first and T5's kind."""
    letters = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    letters += [chr(code) for code in range(33, 127)]
    own = Tokenizer(
        models.BPE(
            vocab={letter: at for at, letter in enumerate(letters)}, merges=[], byte_fallback=True, unk_token="<unk>"
        )
    )
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    own.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    own.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, bos_token="<s>", eos_token="</s>", unk_token="<unk>", model_max_length=CONTEXT
    )


def word_tokenizer():
    """Return BERT's kind: words and pieces of words, lower case."""
    pieces = [chr(code) for code in range(97, 123)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *pieces, *(f"##{piece}" for piece in pieces)]
    return transformers.BertTokenizerFast(vocab={word: at for at, word in enumerate(words)}, model_max_length=CONTEXT)


def end_tokenizer():
    """Return T5's kind: letters, and an end behind every text that is read."""
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters += [(chr(code), -3.0) for code in range(33, 127)]
    return transformers.T5TokenizerFast(vocab=letters, extra_ids=0, model_max_length=CONTEXT)


def _decoder_settings(tokenizer, **changes):
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
        **changes,
    }


def gpt2():
    """Return GPT-2."""
    tokenizer = byte_tokenizer()
    end = tokenizer.eos_token_id
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=WIDTH,
        n_layer=2,
        n_head=2,
        n_positions=CONTEXT,
        bos_token_id=end,
        eos_token_id=end,
    )
    return transformers.GPT2LMHeadModel(config), tokenizer


def llama():
    """Return Llama 2's shape, with its kind of tokenizer."""
    tokenizer = piece_tokenizer()
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**_decoder_settings(tokenizer))), tokenizer


def llama_3():
    """Return Llama 3's shape: a token that begins every text, and rotations that are scaled."""
    tokenizer = byte_tokenizer(begin="<|begin|>")
    scaled = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    }
    config = transformers.LlamaConfig(**_decoder_settings(tokenizer, rope_parameters=scaled))
    return transformers.LlamaForCausalLM(config), tokenizer


def mistral():
    """Return Mistral's shape, with its sliding window."""
    tokenizer = piece_tokenizer()
    config = transformers.MistralConfig(**_decoder_settings(tokenizer, sliding_window=32))
    return transformers.MistralForCausalLM(config), tokenizer


def qwen2():
    """Return Qwen 2's shape: biases of queries, keys and values that are not zero."""
    tokenizer = byte_tokenizer(template=TEMPLATE)
    network = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**_decoder_settings(tokenizer)))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    return network, tokenizer


def qwen3():
    """Return Qwen 3's shape: heads wider than their share of the width, norms of queries and keys, shared embeddings."""
    tokenizer = byte_tokenizer(template=TEMPLATE)
    config = transformers.Qwen3Config(
        **_decoder_settings(tokenizer, head_dim=8, tie_word_embeddings=True, vocab_size=len(tokenizer) + 5)
    )
    return transformers.Qwen3ForCausalLM(config), tokenizer


def gemma():
    """Return Gemma 3's shape."""
    tokenizer = byte_tokenizer(begin="<bos>")
    config = transformers.Gemma3TextConfig(
        **_decoder_settings(tokenizer, head_dim=8, sliding_window=32, query_pre_attn_scalar=8)
    )
    return transformers.Gemma3ForCausalLM(config), tokenizer


def neox():
    """Return GPT-NeoX's shape, with a template for chats: a layout that is not brought in."""
    tokenizer = byte_tokenizer(template=TEMPLATE)
    config = transformers.GPTNeoXConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=4 * CONTEXT,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        attention_dropout=0.1,
        hidden_dropout=0.1,
    )
    tokenizer.model_max_length = 4 * CONTEXT
    return transformers.GPTNeoXForCausalLM(config), tokenizer


def opt():
    """Return OPT's shape: embeddings narrower than the stream, positions of its own, no template for chats."""
    tokenizer = byte_tokenizer(begin="</s>")
    config = transformers.OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        word_embed_proj_dim=8,
        ffn_dim=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=4 * CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=1,
        do_layer_norm_before=True,
    )
    tokenizer.model_max_length = 4 * CONTEXT
    return transformers.OPTForCausalLM(config), tokenizer


def bert(kind, **changes):
    """Return BERT with a head."""
    tokenizer = word_tokenizer()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        **changes,
    )
    return getattr(transformers, kind)(config), tokenizer


def classifier():
    """Return BERT that tells two moods apart."""
    return bert("BertForSequenceClassification", id2label={0: "sad", 1: "glad"}, label2id={"sad": 0, "glad": 1})


def many_labels():
    """Return BERT whose texts may have several labels."""
    return bert("BertForSequenceClassification", num_labels=3, problem_type="multi_label_classification")


def regressor():
    """Return BERT that gives a number."""
    return bert("BertForSequenceClassification", num_labels=1, problem_type="regression")


def tagger():
    """Return BERT that marks persons and places."""
    names = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
    return bert("BertForTokenClassification", id2label=names, label2id={name: at for at, name in names.items()})


def answers():
    """Return BERT that finds answers."""
    return bert("BertForQuestionAnswering")


def masked():
    """Return BERT that fills in words."""
    return bert("BertForMaskedLM")


def headless():
    """Return BERT without a head."""
    return bert("BertModel")


def t5():
    """Return T5."""
    tokenizer = end_tokenizer()
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        d_kv=4,
        d_ff=24,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return transformers.T5ForConditionalGeneration(config), tokenizer


def save(name, folder):
    """Save one of the above with weights that are far from zero, and return the folder."""
    torch.manual_seed(0)
    network, tokenizer = globals()[name]()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.2)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
