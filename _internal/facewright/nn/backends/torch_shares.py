"""torch: several GPUs share each batch, in one process.

The weights lie on the first one. Each step copies them to the others, where forward pass and losses of a share of the
batch are computed; autograd leads the gradients back through the copies, which adds them up on the first. So saving,
previews and everything else see one model on one GPU.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import keras
import torch
from keras.src.utils.tracking import DotNotTrackScope


def share_steps(model: Any, devices: Sequence[str]) -> None:
    """Let a compiled model's training step be shared among devices.

    Args:
        model: As `nn.train_step.TrainStep`: its losses are means over the faces of a batch.
        devices: As torch names them, the first one holds the weights; one may stand there twice.
    """
    with DotNotTrackScope():
        model.train_step = partial(_train_step, model, list(devices), {})


def _train_step(model: Any, devices: Sequence[str], kept: dict[Any, Any], data: Any) -> dict[str, Any]:
    """Do as keras' own `train_step`, on several devices."""
    model.zero_grad()
    totals, scopes = [], []
    for device, (x, y) in zip(devices, _shares(data, len(devices)), strict=True):
        variables = {id(v): v for v in (*model.variables, *model.metrics_variables)}.values()
        copies = [(variable, _copy(variable, device, kept)) for variable in variables]
        with keras.device(device), keras.StatelessScope(state_mapping=copies) as scope:
            totals.append(model.compute_loss(x, y, model(x, training=True), None, training=True))
        scopes.append(scope)
    loss = sum(total.to(devices[0]) for total in totals) / len(devices)
    loss.backward()
    weights = model.trainable_weights[:]
    with torch.no_grad():
        model.optimizer.apply([weight.value.grad for weight in weights], weights)
        _take_back(model, scopes, devices[0])
    return {**{metric.name: metric.result() for metric in model.metrics}, "loss": loss.detach()}


def _copy(variable: Any, device: str, kept: dict[Any, Any]) -> Any:
    """Return a variable's value on a device; pixels never change and are copied once."""
    if variable.dtype != "uint8":
        return variable.value.to(device)
    if (id(variable), device) not in kept:
        kept[id(variable), device] = variable.value.to(device)
    return kept[id(variable), device]


def _shares(data: Any, count: int) -> Iterator[Any]:
    """Cut a batch into equal shares; the pixels of all its faces go to each, whose numbers say where they lie."""
    x, y = data[:2]
    batch = min(len(array) for array in keras.tree.flatten((x, y)) if array is not None)
    for number in range(count):
        rows = slice(number * batch // count, (number + 1) * batch // count)

        def part(array: Any, rows: slice = rows) -> Any:
            return array[rows] if array is not None and len(array) == batch else array

        yield keras.tree.map_structure(part, (x, y))


def _take_back(model: Any, scopes: Sequence[Any], device: str) -> None:
    """Note what the shares left in metrics, which they add up to, and in what else is not trained: the first one's."""
    metrics = {id(variable) for variable in model.metrics_variables}
    for variable in model.metrics_variables:
        found = [scope.get_current_value(variable).to(device) for scope in scopes]
        variable.assign(sum(found) - (len(found) - 1) * variable.value)
    for variable in model.non_trainable_variables:
        if id(variable) not in metrics and variable.dtype != "uint8":
            variable.assign(scopes[0].get_current_value(variable))
