"""Text as words: split at whatever is not a letter or digit, lower case, without accents, stemmed or not."""

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

WORD_LETTERS_MAX = 40


def _analyzer(*, stemmed: bool) -> TextAnalyzer:
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(WORD_LETTERS_MAX))
    builder = builder.filter(Filter.lowercase()).filter(Filter.ascii_fold())
    return (builder.filter(Filter.stemmer("english")) if stemmed else builder).build()


ENGLISH, PLAIN = _analyzer(stemmed=True), _analyzer(stemmed=False)


def plain_words(text: str) -> list[str]:
    """Split a text into words as they are written."""
    return PLAIN.analyze(text)


def stems(text: str) -> list[str]:
    """Split a text into stemmed words: "batteries" and "battery" are both "batteri"."""
    return ENGLISH.analyze(text)
