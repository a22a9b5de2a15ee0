"""Sentences: rendered in either language, with particles that fit, from real records."""

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from assay.judge.sentences import answers, more_rows_sentence, sentences
from assay.report.caveats import caveats
from assay.store.records import Record
from assay.store.verdict import OutcomeWord
from assay.wording import (
    LANGUAGES,
    Language,
    Sentence,
    as_sentence,
    particles,
    render,
    speak,
    spoken,
)
from tests.model_factories import plan
from tests.report_factories import behaviour, case_of, judged


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("값(은/는)", "값은"),
        ("나무(은/는)", "나무는"),
        ("서울(으로/로)", "서울로"),
        ("부산(으로/로)", "부산으로"),
        ("3(이/가)", "3이"),
        ("2(을/를)", "2를"),
        ("'age'(을/를)", "'age'를"),
        ("<b>값</b>(과/와)", "<b>값</b>과"),
        ("&#39;값&#39;(은/는)", "&#39;값&#39;은"),
        ("값 (은/는)", "값 (은/는)"),
    ],
)
def test_a_particle_fits_the_sound_before_it(written, read):
    assert particles(written) == read


@given(st.text())
def test_a_plain_text_is_rendered_as_it_is_in_both_languages(text):
    """But for what looks like an open particle, which no text in English has."""
    for language in LANGUAGES:
        assert render(Sentence.plain(text), language) in (text, particles(text))
    assert as_sentence(text) == Sentence.plain(text)


def test_a_value_is_not_read_as_a_template():
    hostile = "{0} {name} {text!r} %s"

    assert render(Sentence.plain(hostile)) == hostile


def test_values_are_sentences_and_lists_of_them():
    inner = Sentence.of("records.model_score", model="a", score=0.5)

    assert render(
        Sentence.of("records.fold", repeat=1, fold=2, scores=(inner, inner))
    ) == ("repeat 1 fold 2: a 0.500, a 0.500")


def test_texts_among_the_values_and_our_templates_are_escaped_apart():
    inner = Sentence.of("records.model_score", model="<b>", score=0.5)
    shown = render(
        Sentence.of("records.fold", repeat=1, fold=2, scores=(inner,)),
        foreign=str.upper,
        ours=lambda template: template.replace("fold ", "FOLD "),
    )

    assert shown == "repeat 1 FOLD 2: <B> 0.500"


def test_a_word_without_a_name_stands_for_itself():
    assert str(Sentence.named("records.model", "net")) == "net"
    assert str(Sentence.named("records.model", "my own")) == "my own"


def test_the_language_is_chosen_once_for_all():
    first = spoken()
    try:
        speak("ko")
        assert str(Sentence("records.metric.accuracy")) == "정확도"
    finally:
        speak(first)
    assert str(Sentence("records.metric.accuracy")) == "accuracy"


# Real records --------------------------------------------------------------------------------------


def sentences_in(value: Any) -> Iterator[Sentence]:
    """Every sentence of a record, at any depth, and the summaries of it and of its parts."""
    match value:
        case Sentence():
            yield value
        case BaseModel():
            if isinstance(value, Record):
                yield as_sentence(value.summary())
            for name in type(value).model_fields:
                yield from sentences_in(getattr(value, name))
        case dict():
            for inner in value.values():
                yield from sentences_in(inner)
        case tuple() | list():
            for inner in value:
                yield from sentences_in(inner)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", typing.get_args(OutcomeWord))
def test_what_records_say_is_rendered_in_both_languages(
    outcome: str, language: Language
):
    case = case_of(outcome)
    found = judged(case.evidence, case, case.predictions)
    verdict = found.verdict.after(found.verdict, (Sentence.plain("differs"),))
    verdict = verdict.among((verdict.as_universe("other"),))
    every = [
        *sentences_in(case.evidence),
        *sentences_in(found),
        *sentences(verdict),
        *(part for answer in answers(verdict) for part in sentences_in(tuple(answer))),
        *caveats(verdict, case.evidence, plan()),
        more_rows_sentence(behaviour(), "auc", 0.01),
        *sentences_in(behaviour()),
    ]

    assert len(every) > 10
    for sentence in every:
        assert "{" not in render(sentence, language)
