"""Clipped policy gradients in one `scan`, on a corridor, with the metrics in its carry."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import eqmetrics as eqm


ENVS, STEPS, UPDATES, EPOCHS = 16, 32, 60, 4
LENGTH, LIMIT, DISCOUNT, CLIP = 8, 24, 0.95, 0.2


# The environment: a walk from 0 to the end of a corridor. A step costs 0.05, and the end gives 1.
# An episode is truncated after `LIMIT` steps. The step that ends an episode also resets.
def env_step(state, action):
    place, time = state
    place, time = jnp.clip(place + 2 * action - 1, 0, LENGTH), time + 1
    done, cut = place == LENGTH, time == LIMIT
    reward = jnp.where(done, 1.0, -0.05)
    ends = done | cut
    return (jnp.where(ends, 0, place), jnp.where(ends, 0, time)), reward, done, cut & ~done


def seen(state):
    return jax.nn.one_hot(state[0], LENGTH)


def rollout(actor, state, episodes, key):
    def step(carry, key):
        state, episodes = carry
        x = seen(state)
        logits = jax.vmap(actor)(x)
        action = jax.random.categorical(key, logits)
        new, reward, done, cut = jax.vmap(env_step)(state, action)
        episodes = episodes.update(rewards=reward, dones=done, truncated=cut)
        log_probability = log_of(logits, action)
        return (new, episodes), (x, action, log_probability, reward, done | cut)

    return jax.lax.scan(step, (state, episodes), jax.random.split(key, STEPS))


def log_of(logits, action):
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], -1)[..., 0]


def returns_of(reward, ends):
    def back(after, x):
        after = x[0] + DISCOUNT * jnp.where(x[1], 0.0, after)
        return after, after

    return jax.lax.scan(back, jnp.zeros(ENVS), (reward, ends), reverse=True)[1]


def loss_of(actor, x, action, before, advantage):
    now = log_of(jax.vmap(jax.vmap(actor))(x), action)
    ratio = jnp.exp(now - before)
    clipped = jnp.clip(ratio, 1 - CLIP, 1 + CLIP)
    loss = -jnp.minimum(ratio * advantage, clipped * advantage)
    return loss.mean(), {"kl": before - now, "outside": jnp.abs(ratio - 1) > CLIP}


actor = eqx.nn.MLP(LENGTH, 2, 16, 1, key=jax.random.key(0))
params, static = eqx.partition(actor, eqx.is_inexact_array)
optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(3e-3))
metrics = eqm.MetricDict(
    norm=eqm.training.TreeNorm(),  # before clipping
    moved=eqm.training.UpdateRatio(eqm.training.groups_of(params, 2)),
    kl=eqm.Average().from_output("kl"),
    clipped=eqm.Average().from_output("outside"),
)


def update(carry, key):
    params, opt_state, state, episodes, metrics = carry
    (state, episodes), (x, action, before, reward, ends) = rollout(
        eqx.combine(params, static), state, episodes, key
    )
    returns = returns_of(reward, ends)
    advantage = (returns - returns.mean()) / (returns.std() + 1e-6)

    def epoch(carry, _):
        params, opt_state, metrics = carry
        gradients, told = jax.grad(
            lambda p: loss_of(eqx.combine(p, static), x, action, before, advantage), has_aux=True
        )(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        metrics = metrics.update(gradients=gradients, updates=updates, params=params, **told)
        return (optax.apply_updates(params, updates), opt_state, metrics), None

    start = params, opt_state, metrics
    (params, opt_state, metrics), _ = jax.lax.scan(epoch, start, length=EPOCHS)
    # Episodes in progress continue; the value is that of the episodes that ended in this update.
    told = episodes.compute()
    return (params, opt_state, state, episodes.forget(), metrics), told


@jax.jit
def train(params, key):
    state = jnp.zeros((2, ENVS), jnp.int32)
    start = params, optimizer.init(params), tuple(state), eqm.rl.EpisodeStatistics(ENVS), metrics
    (*_, told), curve = jax.lax.scan(update, start, jax.random.split(key, UPDATES))
    return curve, told


curve, told = train(params, jax.random.key(1))
for i in range(0, UPDATES, 10):
    of = lambda name, i=i: float(curve[name]["mean"][i])
    ended = int(curve["episodes"][i])
    print(f"update {i:2}  return {of('return'):6.3f}  length {of('length'):5.2f}  episodes {ended}")
print("all updates", eqm.to_host(told))
