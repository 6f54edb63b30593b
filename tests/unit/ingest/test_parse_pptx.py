import io

import pptx
import pytest
from document_checks import outline
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from retrieval.errors import FileFailed, NoText
from retrieval.types import Place

BOX = (Inches(1), Inches(2), Inches(4), Inches(2))


def saved(presentation) -> bytes:
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def sample() -> bytes:
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Plans for\nspring"
    first.placeholders[1].text = "Sow beans\nBuild a shed"
    first.notes_slide.notes_text_frame.text = "Mention the frost."
    presentation.slides.add_slide(presentation.slide_layouts[6])
    third = presentation.slides.add_slide(presentation.slide_layouts[5])
    third.shapes.title.text = "Costs"
    table = third.shapes.add_table(2, 2, *BOX).table
    for row, texts in enumerate([("Item", "Euro"), ("Seeds", "12")]):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(*BOX).text_frame.text = "In a group"
    data = CategoryChartData()
    data.categories = ["2023", "2024"]
    data.add_series("Harvest", (30, 45))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *BOX, data)
    return saved(presentation)


def test_slides_in_order_with_notes_tables_groups_and_charts(parsed):
    document = parsed(sample(), "plans.pptx")
    assert outline(document) == [
        ("heading", "Plans for spring"),
        ("list_item", "Sow beans"),
        ("list_item", "Build a shed"),
        ("paragraph", "Mention the frost."),
        ("heading", "Costs"),
        ("table_row", "Item; Euro"),
        ("table_row", "Item: Seeds; Euro: 12"),
        ("paragraph", "In a group"),
        ("table_row", "Harvest"),
        ("table_row", "2023; Harvest: 30"),
        ("table_row", "2024; Harvest: 45"),
    ]


def test_every_block_has_its_slide_and_title(parsed):
    document = parsed(sample(), "plans.pptx")
    assert (document.n_pages, document.unread_pages) == (3, (2,))
    assert document.title == "Plans for spring"
    assert document.blocks[3].place == Place(first_slide=1, last_slide=1)
    assert document.blocks[3].heading_path == ("Plans for spring",)
    assert document.blocks[-1].place == Place(first_slide=3, last_slide=3)
    assert document.blocks[-1].heading_path == ("Costs",)


def test_text_of_the_layout_is_on_its_slides_but_its_prompts_are_not(parsed):
    presentation = pptx.Presentation()
    layout = presentation.slide_layouts[5]
    slide = presentation.slides.add_slide(layout)
    slide.shapes.title.text = "Title"
    text = parsed(saved(presentation), "a.pptx").text
    assert "Click to edit" not in text


def test_slides_without_text_are_refused(parsed):
    presentation = pptx.Presentation()
    presentation.slides.add_slide(presentation.slide_layouts[6])
    with pytest.raises(NoText, match="OCR"):
        parsed(saved(presentation), "a.pptx")


def test_truncated_presentation_fails_cleanly(parsed):
    content = sample()
    with pytest.raises(FileFailed):
        parsed(content[: len(content) // 2], "a.pptx")
