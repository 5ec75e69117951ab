import pytest
from built_site import SITE, VIEWS_OF_A_PAGE
from playwright.sync_api import Page, expect

VIEWS = pytest.mark.parametrize("page", VIEWS_OF_A_PAGE, indirect=True, ids="-".join)
CHARTS = (".split svg", ".trade svg", ".bars svg")


def drawn(page: Page) -> dict[str, str]:
    return {chart: page.locator(chart).evaluate("(chart) => chart.outerHTML") for chart in CHARTS}


@pytest.fixture
def explorer(page: Page) -> Page:
    page.goto((SITE / "notebooks" / "explorer.html").as_uri())
    page.locator(".bars svg").wait_for()
    return page


@VIEWS
def test_every_control_of_the_explorer_changes_result_and_charts(explorer: Page) -> None:
    actions = {
        "bits": lambda: explorer.get_by_label("Bits per level").press("ArrowLeft"),
        "loop": lambda: explorer.get_by_label("open", exact=True).check(),
        "coder": lambda: explorer.get_by_label("ANS").check(),
        "method": lambda: explorer.get_by_label("Method").select_option("fss"),
        "network": lambda: explorer.get_by_label("Network").select_option("mobilenetv2"),
    }
    result = explorer.locator(".result")
    for name, act in actions.items():
        words, charts = result.inner_text(), drawn(explorer)
        act()
        assert result.inner_text() != words, name
        # a coder changes sizes alone, the levels are the same
        same = {".bars svg"} if name == "coder" else set()
        assert {chart for chart, svg in drawn(explorer).items() if svg == charts[chart]} == same, name
    assert explorer.problems == []


def test_explorer_says_what_was_not_run(explorer: Page) -> None:
    explorer.get_by_label("Network").select_option("shufflenet")
    explorer.get_by_label("Data set").select_option("cifar100")
    said = explorer.locator(".result").inner_text()
    if said.startswith("No run"):  # the records may have it by now
        expect(explorer.locator(".missing")).to_contain_text("ilwp train --profile")
        expect(explorer.locator(".panels")).to_be_hidden()
    else:
        expect(explorer.locator(".panels")).to_be_visible()


def test_explorer_shows_the_recorded_size(explorer: Page) -> None:
    """The numbers of a chart's table add up to the number in the text."""
    parts = explorer.locator(".split .legend li").all_inner_texts()
    total = sum(float(part.split()[-2].replace(",", "")) for part in parts)
    assert f"{total / 1000:.2f} kB" in explorer.locator(".result").inner_text()


@VIEWS
def test_stepper_works_by_keyboard(page: Page) -> None:
    page.goto((SITE / "notebooks" / "method.html").as_uri())
    stepper = page.locator("[data-scripts~='loop_errors.js']")
    slider = stepper.get_by_role("slider")
    slider.focus()
    said = [stepper.locator(".result").inner_text()]
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        page.keyboard.press(key)
        said.append(stepper.locator(".result").inner_text())
    assert len(set(said)) == len(said)
    last = int(slider.get_attribute("max"))
    assert slider.input_value() == str(last - 1)

    next_layer = stepper.get_by_role("button", name="Next layer")
    next_layer.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # beyond the last layer there is nothing, and the button keeps the focus
    assert slider.input_value() == str(last)
    expect(next_layer).to_be_focused()
    assert stepper.locator(".curve.open circle").count() == last
    assert page.problems == []


def test_nothing_interactive_needs_a_pointer(explorer: Page) -> None:
    """Tab reaches every control, in the order in which they stand."""
    explorer.locator("#explorer-network").focus()
    reached = []
    for _ in range(6):
        reached.append(explorer.evaluate("document.activeElement.id"))
        explorer.keyboard.press("Tab")
    names = ("network", "dataset", "curve", "bits", "loop-closed", "coder-huffman")
    assert reached == [f"explorer-{name}" for name in names]
