import torch
from torch import nn

from ilwp.paper.losses import inter_layer_loss
from ilwp.training.tying import tie


def convolutions(*channels: int) -> list[nn.Conv2d]:
    return [nn.Conv2d(c, c, 3, groups=c, bias=False) for c in channels]


def test_tied_layers_repeat_the_previous_one_whatever_the_first_becomes():
    layers = convolutions(2, 5, 3)
    tie(layers)
    for _ in range(2):
        first, second, third = (conv.weight.detach() for conv in layers)
        assert torch.equal(second, first[[0, 1, 0, 1, 0]])
        assert torch.equal(third, second[[0, 1, 2]])
        assert inter_layer_loss([first, second, third]).item() == 0
        with torch.no_grad():
            layers[0].weight.add_(1)


def test_the_first_of_tied_layers_learns_for_all_and_no_other_does():
    layers = convolutions(2, 4)
    tie(layers)
    (layers[0].weight.sum() + 10 * layers[1].weight.sum()).backward()
    assert layers[0].weight.grad.flatten().unique().tolist() == [21]
    trainable = [p for conv in layers for p in conv.parameters() if p.requires_grad]
    assert trainable == [layers[0].weight]
