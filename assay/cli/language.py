"""In which language a command speaks: ``--lang``, anywhere in the line, or the machine's own."""

import sys

from assay.errors import StudyError
from assay.wording import LANGUAGES, Language, language_of_the_machine, speak


def choose_language(words: list[str]) -> list[str]:
    """Choose the language of all that is said from here on; return the words without the choice."""
    rest: list[str] = []
    name: str | None = None
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word == "--lang":
            name = next(waiting, "")
        elif word.startswith("--lang="):
            name = word.removeprefix("--lang=")
        else:
            rest.append(word)
    if name is None:
        speak(language_of_the_machine())
        return rest
    try:
        speak(language_of(name))
    except StudyError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    return rest


def language_of(name: str) -> Language:
    """Return the language of that name.

    Raises
    ------
    StudyError
        If there is none.
    """
    for language in LANGUAGES:
        if name == language:
            return language
    raise StudyError("cli.unknown_language", name=name, languages=LANGUAGES)
