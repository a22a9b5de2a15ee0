"""The report: what a run says of itself to a person, as a page and as cards.

`record` is what a page rests on, `findings` what out-of-fold predictions show; `statements` and
`wording` put it into words of a language, `pictures` and `behaving` draw it, `page` lays it out;
`cards` writes the Markdown beside the model, `folder` opens a run and renders it again.
"""
