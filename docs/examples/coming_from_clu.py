"""The cells of a clu notebook, in this library's spelling."""

from typing import Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import eqmetrics as eqm


# Metric computation: intermediate values from one batch, merged, computed at the end.
first = eqm.Accuracy.from_model_output(
    logits=jnp.array([[-1.0, 1.0], [1.0, -1.0]]),
    labels=jnp.array([0, 0]),  # the first is wrong, the second right
)
second = eqm.Accuracy.from_model_output(
    logits=jnp.array([[-1.0, 1.0], [1.0, -1.0]]),
    labels=jnp.array([1, 0]),  # both right
)
assert first.merge(second).compute() == 0.75


# A metric of one's own: fields, `update` and `compute`; `merge` is derived.
class MyAverage(eqm.Metric):
    total: Float[Array, ""] = eqm.state(reduce="sum")
    count: Int[Array, ""] = eqm.state(reduce="sum")

    def __init__(self):
        self.total = jnp.zeros(())
        self.count = jnp.zeros((), jnp.int32)

    def update(self, value: Int[Array, "..."]) -> Self:
        return self.replace(total=self.total + value.sum(), count=self.count + value.size)

    def compute(self) -> Float[Array, ""]:
        return self.total / self.count


average = MyAverage()
for value in jnp.array([1, 2]):
    average = average.merge(MyAverage.from_model_output(value))
assert average.compute() == 1.5

library_average = eqm.Average()
for value in jnp.array([[1], [2]]):
    library_average = library_average.merge(eqm.Average.from_model_output(value))
assert library_average.compute() == 1.5


# A collection: attribute access, and each metric takes the outputs that it names.
class MyMetrics(eqm.Collection):
    accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)


my_metrics = MyMetrics()
for inputs, label in [(0, 0), (1, 0), (2, 1), (3, 1)]:
    logits = jnp.array([0.7, 0.2, 0.1] if inputs == 0 else [0.4, 0.5, 0.1])
    update = MyMetrics.from_model_output(logits=logits, labels=jnp.array(label))
    my_metrics = my_metrics.merge(update)
assert my_metrics.accuracy.compute() == 0.75


class MyCollection(eqm.Collection):
    accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)
    loss: eqm.Metric = eqx.field(default_factory=lambda: eqm.Average().from_output("loss"))
    loss_std: eqm.Metric = eqx.field(default_factory=lambda: eqm.Std().from_output("loss"))


right = MyCollection.from_model_output(
    loss=0.1, logits=jnp.array([0.9, 0.1]), labels=jnp.array(0)
)
wrong = MyCollection.from_model_output(
    loss=0.7, logits=jnp.array([0.8, 0.2]), labels=jnp.array(1)
)
values = eqm.to_host(right.merge(wrong))
assert values["accuracy"] == 0.5
np.testing.assert_allclose([values["loss"], values["loss_std"]], [0.4, 0.3], rtol=1e-6)

# Collecting: everything to the host, and any function of it.
collected = eqm.Collect("loss", fn=np.median)
for loss in (jnp.array([1.0, 2.0]), jnp.array([6.0])):
    collected = collected.merge(eqm.Collect("loss", fn=np.median).update(loss=loss))
assert collected.compute() == 2.0
print("all cells hold")
