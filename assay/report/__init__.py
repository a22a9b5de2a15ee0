"""The report: what a run says of itself to a person, as a page and as cards.

`record` is what a page rests on, `findings` what out-of-fold predictions show; `statements` and
`wording` put it into words of a language, `pictures`, `searching`, `curves`, `numbers`
and `columns` draw it (on `drawing`'s canvas), `page` lays it out;
`cards` writes the Markdown beside the model, `folder` opens a run and renders it again.
"""

import logging

# Before it is loaded: what it says of its folders and fonts is nothing a reader of ours can use.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
