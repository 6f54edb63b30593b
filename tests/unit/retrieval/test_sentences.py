"""Where sentences end, and where they do not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.sentences import sentence_spans


def cut(text):
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n\t ", []),
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        (
            "It costs $3.50. See v1.2 at example.org.",
            ["It costs $3.50.", "See v1.2 at example.org."],
        ),
        ("Dr. No met Mrs. Hall. They spoke.", ["Dr. No met Mrs. Hall.", "They spoke."]),
        ("Use a filter, e.g. Brita. It helps.", ["Use a filter, e.g. Brita.", "It helps."]),
        (
            "See Fig. 3 and App. B. Then Smith et al. (2020).",
            ["See Fig. 3 and App. B.", "Then Smith et al. (2020)."],
        ),
        ("It is a work of art. Nobody knew.", ["It is a work of art.", "Nobody knew."]),
        ("No. 5 is alive. The answer is no. Go.", ["No. 5 is alive.", "The answer is no.", "Go."]),
        ("J. R. R. Tolkien wrote it. We read it.", ["J. R. R. Tolkien wrote it.", "We read it."]),
        (
            "The U.S. Senate met. In the U.S. The end.",
            ["The U.S. Senate met.", "In the U.S.", "The end."],
        ),
        ("He runs Acme Inc. The firm grows.", ["He runs Acme Inc.", "The firm grows."]),
        ("He runs Acme Inc. Chairman is Bob.", ["He runs Acme Inc. Chairman is Bob."]),
        ('"Why?" he asked. "Go!" She left.', ['"Why?" he asked.', '"Go!"', "She left."]),
        ("(It was late.) He said (twice.) No.", ["(It was late.)", "He said (twice.)", "No."]),
        ("It rose.[3] Then it fell.[4][12] Done", ["It rose.[3]", "Then it fell.[4][12]", "Done"]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("1. Open it. 2. Close it.", ["1. Open it.", "2. Close it."]),
        ("It was in 1999. Then it ended.", ["It was in 1999.", "Then it ended."]),
        (
            "今日は晴れ。明日は雨！本当？「はい。」と言った",
            ["今日は晴れ。", "明日は雨！", "本当？", "「はい。」", "と言った"],
        ),
        ("यह पहला है। यह दूसरा है।", ["यह पहला है।", "यह दूसरा है।"]),
        ("هل هذا سؤال؟ نعم.", ["هل هذا سؤال؟", "نعم."]),
        ("a line\nthat wraps. Next", ["a line\nthat wraps.", "Next"]),
        ("no stop here\n\nbut a blank line", ["no stop here", "but a blank line"]),
        ("no stop here\n \t\nlower case follows.", ["no stop here", "lower case follows."]),
        ("in the U.S.\n\nGrowth was slow.", ["in the U.S.", "Growth was slow."]),
    ],
)
def test_sentences(text, sentences):
    assert cut(text) == sentences


@given(
    st.text(alphabet=st.sampled_from("aB3 .?!\n\"')([。」…é\u3000\u200b"), max_size=80) | st.text()
)
def test_spans_hold_all_but_white_space_once_in_order(text):
    at = 0
    for start, end in sentence_spans(text):
        assert at <= start < end
        assert text[at:start].strip() == ""
        assert text[start:end].strip() == text[start:end]
        at = end
    assert text[at:].strip() == ""


@given(st.lists(st.sampled_from(["One two.", "Yes!", "Was it?", "Ünder."]), max_size=6), st.text())
def test_what_comes_after_a_blank_line_changes_nothing_before_it(sentences, tail):
    head = " ".join(sentences)
    assert cut(head + "\n\n" + tail)[: len(sentences)] == sentences


@pytest.mark.parametrize(
    "unit", [".", ". ", "\n", "a.b", "(((", "5. ", "A. ", '."', "[1]", ".[1]"]
)
def test_time_grows_with_length_only(unit):
    # A quadratic rule would take minutes; the generous limit is for busy machines.
    start = time.process_time()
    sentence_spans(unit * (200_000 // len(unit)))
    assert time.process_time() - start < 5
