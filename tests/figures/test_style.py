import itertools

import matplotlib.pyplot as plt
import pytest

from ilwp.figures import style


@pytest.mark.parametrize(
    ("ends", "touch"), [([1.0, 5.0, 9.0], False), ([5.0, 5.01, 5.02], True), ([5.0, 5.0, 9.0], True)]
)
def test_names_of_lines_stand_in_the_order_of_their_ends_and_do_not_touch(ends: list[float], touch: bool):
    with plt.rc_context():
        style.use_style()
        figure, ax = plt.subplots()
        for place, y in enumerate(ends):
            ax.errorbar([0, 1 + place], [0, y], [0, 0], label=f"line {place}")
        ax.set_ylim(0, 10)
        style.label_lines(ax)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in ax.texts]
        plt.close(figure)
    assert [text.get_text() for text in ax.texts] == [f"line {place}" for place in range(len(ends))]
    assert all(below.y1 <= above.y0 + 1 for below, above in itertools.pairwise(boxes))
    assert len({round(box.x0, 3) for box in boxes}) == 1
    assert ([text.xy[1] for text in ax.texts] != ends) == touch
