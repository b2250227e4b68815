from bertpipe.vocab import SPECIAL_TOKENS, Fit, Tokenizer, measure_fit


def test_figures_are_those_counted_by_hand() -> None:
    """Twice ``ab``, once ``ac`` (unknown), once ``a``: 6 tokens, one of them unknown, in 3 runs."""
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, "a", "b", "##b", "abc"], lowercase=True)
    words = {"ab": 2, "ac": 1, "a": 1}
    assert measure_fit(words, runs=3, tokenizer=tokenizer, alphabet=["a", "b"]) == Fit(
        fertility=2.0, unknown_rate=round(1 / 6, 6), unknown_characters=1, longest_pieces=["##b", "a"]
    )
