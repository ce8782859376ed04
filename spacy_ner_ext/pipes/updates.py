"""Updates of the weights of a component."""

from typing import Any

from thinc.api import Model


def finish_update(model: Model, optimizer: Any) -> None:
    """Update the weights of a model by their gradients.

    An optimizer that has a method `update_arrays` gets the arrays of all layers in one
    call; thinc's own `Model.finish_update` passes them one by one.
    """
    if not hasattr(optimizer, "update_arrays"):
        model.finish_update(optimizer)
        return
    nodes = list(model.walk())
    for node in nodes:
        for shim in node.shims:
            shim.finish_update(optimizer)
    optimizer.update_arrays(
        {
            (node.id, name): (node.get_param(name), node.get_grad(name))
            for node in nodes
            for name in node.param_names
            if node.has_grad(name)
        }
    )
