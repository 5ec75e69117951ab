"""How much a network's outputs change with each of its tensors, measured without data.

    network -> synthetic_inputs -> sensitivities -> a number a parameter

Quantizing a tensor with step s adds to each weight an error of variance s^2 / 12. To first order the squared error of
the outputs is the sum of these variances times the weights' mean squared derivatives (the diagonal of a Gauss-Newton
matrix). At a given number of bits the outputs' error is smallest where every tensor's step is proportional to
sensitivity ** -0.5.

Derivatives differ far more between tensors than between kinds of inputs, so synthetic inputs do: random fields whose
amplitude falls as 1 / frequency, as that of photographs does.
"""

import contextlib
from collections.abc import Collection

import torch
from torch import nn

from ilwp.common.errors import IlwpError, one_line
from ilwp.networks.trace import floating
from ilwp.networks.trials import places_of, random_inputs, vocabulary

SAMPLES = 8


def synthetic_inputs(
    shape: tuple[int, ...], count: int = SAMPLES, seed: int = 0, places: int | None = None
) -> torch.Tensor:
    """Random inputs (count, *shape) float32 of mean 0 and deviation 1.

    Over the last `places` axes their spectrum is 1 / f; without it those are two for an image (c, h, w), else none.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, *shape, generator=generator)
    places = 2 * (len(shape) == 3) if places is None else places
    sides = shape[len(shape) - places :]
    if not sides or min(sides) < 2:
        return noise
    axes = tuple(range(-places, 0))
    grid = torch.meshgrid(*map(torch.fft.fftfreq, sides[:-1]), torch.fft.rfftfreq(sides[-1]), indexing="ij")
    frequency = torch.stack(grid).square().sum(0).sqrt().clamp(min=1 / max(sides))
    fields = torch.fft.irfftn(torch.fft.rfftn(noise, dim=axes) / frequency, s=sides, dim=axes)
    fields = fields - fields.mean(dim=axes, keepdim=True)
    scaled: torch.Tensor = fields / fields.flatten(1).std(dim=1).view(-1, *[1] * len(shape))
    return scaled


def inputs_for(network: nn.Module, shape: tuple[int, ...] | None = None, seed: int = 0) -> torch.Tensor:
    """Synthetic inputs (SAMPLES, *shape), whole numbers for a network that begins with an embedding.

    A network that begins with a convolution gets a 1 / f spectrum over its axes: pictures have one, and sounds have.
    Without `shape` it is the natural one; errors are those of `natural_shape`.
    """
    shape, words = shape or natural_shape(network), vocabulary(network)
    if words is None:
        return synthetic_inputs(shape, seed=seed, places=places_of(network, shape))
    return torch.randint(0, words, (SAMPLES, *shape), generator=torch.Generator().manual_seed(seed))


def natural_shape(network: nn.Module) -> tuple[int, ...]:
    """The shape, without the batch axis, of inputs as a network usually gets them.

    A convolution network whose first layer has a stride is taken to be made for images of 224 x 224, as those for
    ImageNet are; the others' inputs are those of `trials.random_inputs`. Raises IlwpError where none can be made up.
    """
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None and max(first.stride) > 1:
        large = (first.in_channels, 224, 224)
        with contextlib.suppress(IlwpError):
            random_inputs(network, large)
            return large
    return tuple(random_inputs(network)[0].shape[1:])


def sensitivities(
    network: nn.Module, inputs: torch.Tensor, seed: int = 0, logarithms: Collection[str] = ()
) -> dict[str, float]:
    """The mean squared derivative of a random projection of the outputs to each parameter, by name; to the logarithms
    of those in `logarithms`.

    `inputs` (n, ...) are taken one by one, since squares of derivatives do not add up over a batch. The network is in
    evaluation mode. A parameter that the outputs do not depend on has 0. Raises IlwpError where the network does not
    take the inputs, or its outputs cannot be differentiated.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = {name: p for name, p in network.named_parameters() if p.is_floating_point()}
    wanted = [p.requires_grad for p in parameters.values()]
    total = dict.fromkeys(parameters, 0.0)
    try:
        for p in parameters.values():
            p.requires_grad_(True)
        for one in torch.split(inputs, 1):
            projected = torch.stack([
                (output.float() * torch.randn(output.shape, generator=generator)).sum()
                for output in floating(network(one))
            ]).sum()  # fmt: skip
            derivatives = torch.autograd.grad(projected, list(parameters.values()), allow_unused=True)
            for name, derivative in zip(parameters, derivatives, strict=True):
                if derivative is not None:
                    changed = derivative * parameters[name].detach() if name in logarithms else derivative
                    total[name] += float(changed.square().mean()) / len(inputs)
    except Exception as error:  # whatever the network's code raises
        raise IlwpError(f"the network's outputs cannot be differentiated ({one_line(error)})") from error
    finally:
        for p, before in zip(parameters.values(), wanted, strict=True):
            p.requires_grad_(before)
    return total
