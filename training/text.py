"""The tokenizer and the text encoder, both made from scratch."""

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
PAD, UNK, BOS, EOS = range(4)
LENGTH = 24
WIDTH = 256


def make_normalizer() -> normalizers.Normalizer:
    """What looks alike is the same text: compatible letters, lower case, and one space for every
    run of white space, punctuation, invisible characters and signs of arithmetic."""
    return normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"[\p{Z}\p{C}\p{P}\p{Sk}\p{Sm}\p{Sc}]+"), " "),
            normalizers.Strip(),
        ]
    )


def train_tokenizer(texts: list[str], size: int = 4096) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `size` pieces; pads and cuts to 24 tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = make_normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=LENGTH,
    )


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: list[str]):
    """Token ids (B, 24), int64, exactly as `StableDiffusionPipeline` makes them."""
    batch = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    return batch.input_ids


def make_text_encoder(vocabulary: int) -> CLIPTextModel:
    """An untrained CLIP text model: two layers, 256 wide."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=WIDTH,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    return CLIPTextModel(config)
