"""The cells of a clu notebook, in this library's spelling and with its numbers."""

# In [1]
from typing import Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from sklearn.metrics import accuracy_score

import eqmetrics as eqm


# In [2]: metric computation, in three steps.
# 1. Intermediate values from model outputs.
accuracy_batch1 = eqm.Accuracy.from_model_output(
    logits=jnp.array([[-1.0, 1.0], [1.0, -1.0]]),
    labels=jnp.array([0, 0]),  # the first is wrong, the second right
)
accuracy_batch2 = eqm.Accuracy.from_model_output(
    logits=jnp.array([[-1.0, 1.0], [1.0, -1.0]]),
    labels=jnp.array([1, 0]),  # both right
)

# 2. They are merged.
accuracy = accuracy_batch1.merge(accuracy_batch2)

# 3. The value.
print("In [2]", accuracy.compute())
assert accuracy.compute() == 0.75


# In [3]: a metric of your own. `update` says what one batch adds; `merge`, `from_model_output`,
# `reduce` and the rest are derived from the declarations.
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


# In [4]: there is an empty metric to start from, so no `None`.
average = MyAverage()
for value in jnp.array([1, 2]):
    average = average.merge(MyAverage.from_model_output(value))
print("In [4]", average.compute(), average)
assert average.compute() == 1.5
assert average.total == 3 and average.count == 2


# In [5]: the library's own average; `update` is the short form of merging a batch.
average = eqm.Average()
for value in jnp.array([[1], [2]]):
    average = average.update(value)
print("In [5]", average.compute())
assert average.compute() == 1.5


# In [6]: a collection of metrics.
class MyMetrics(eqm.Collection):
    accuracy: eqm.Accuracy = eqx.field(default_factory=eqm.Accuracy)


def model(x: int) -> Array:
    # Predicts label 0 for input 0, and label 1 for all others.
    return jnp.array([0.7, 0.2, 0.1] if x == 0 else [0.4, 0.5, 0.1])


my_metrics = MyMetrics()
for inputs, label in [(0, 0), (1, 0), (2, 1), (3, 1)]:
    update = MyMetrics.from_model_output(logits=model(inputs), labels=jnp.array(label))
    my_metrics = my_metrics.merge(update)
print("In [6]", my_metrics.accuracy.compute())
assert my_metrics.accuracy.compute() == 0.75


# In [7]: several metrics; each takes the outputs that its `update` names.
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
for name, collection, want in [
    ("right", right, {"accuracy": 1.0, "loss": 0.1, "loss_std": 0.0}),
    ("wrong", wrong, {"accuracy": 0.0, "loss": 0.7, "loss_std": 0.0}),
    ("both", right.merge(wrong), {"accuracy": 0.5, "loss": 0.4, "loss_std": 0.3}),
]:
    got = eqm.to_host(collection)
    print("In [7]", name, got)
    assert got.keys() == want.keys()
    np.testing.assert_allclose(list(got.values()), list(want.values()), rtol=1e-7)


# A collecting metric keeps all rows on the host, for any function.
collected = eqm.Collect(
    "logits", "labels", fn=lambda logits, labels: accuracy_score(labels, logits.argmax(-1))
)
for inputs, label in [(0, 0), (1, 0), (2, 1), (3, 1)]:
    collected = collected.update(logits=model(inputs)[None], labels=jnp.array([label]))
print("Collecting", collected.compute())
assert collected.compute() == 0.75
