"""Texts as words: split at what is no letter or digit, in small letters without accents, stemmed or not."""

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

WORD_LETTERS_MAX = 40


def _analyzer(*, stemmed: bool) -> TextAnalyzer:
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(WORD_LETTERS_MAX))
    builder = builder.filter(Filter.lowercase()).filter(Filter.ascii_fold())
    return (builder.filter(Filter.stemmer("english")) if stemmed else builder).build()


ENGLISH, PLAIN = _analyzer(stemmed=True), _analyzer(stemmed=False)


def plain(text: str) -> list[str]:
    return PLAIN.analyze(text)


def stems(text: str) -> list[str]:
    return ENGLISH.analyze(text)
