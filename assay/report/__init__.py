"""The report: what a run says of itself to a person, as a page and as cards.

`account` is the record that a page is drawn from, `findings` what out-of-fold predictions show; `say` renders the
catalogue's sentences as HTML, the `draw_...` modules draw pictures on `canvas`, `page` lays everything out.
`cards` writes the Markdown beside the model, `written_files` names all that a run leaves for people, `folder` opens a
finished run, and `two_runs` compares two of them.
"""

import logging

# Before it is loaded: what it says of its folders and fonts is nothing a reader of ours can use.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
