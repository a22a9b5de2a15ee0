"""What is said of a study, in both languages."""

import pytest

from assay.errors import StudyError
from assay.study.load import load
from assay.wording import render
from tests.factories import write_study


@pytest.mark.parametrize(
    ("override", "english", "korean"),
    [
        (
            "plan.a.split.folds=1",
            "[plan.a.split]: folds = 1, but it must be at least 2.",
            "[plan.a.split]: folds = 1: 값은 2 이상이어야 합니다.",
        ),
        (
            "plan.a.split.fold=3",
            "[plan.a.split]: unknown key 'fold'. Did you mean 'folds'?",
            "[plan.a.split]: 알 수 없는 키 'fold'입니다. 'folds'를 쓰려고 했나요?",
        ),
        (
            "plan.a.target={expression='likes +'}",
            "[plan.a.target]: 'likes +' is not an expression.",
            "[plan.a.target]에 문제가 있습니다: 'likes +'는 식이 아닙니다.",
        ),
    ],
)
def test_a_refusal_is_one_sentence_in_either_language(
    tmp_path, override, english, korean
):
    with pytest.raises(StudyError) as refused:
        load(write_study(tmp_path), (override,))
    sentence = refused.value.sentence

    assert render(sentence, "en").endswith(english)
    assert render(sentence, "ko").endswith(korean)
