"""Spectra beside sums over all coefficients in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import few, seeds
from .oracle import batch_of, rows_of, WAYS


GRID = 6, 5
PAIR = {"predictions": GRID, "targets": GRID}
EDGES = 0, 1.5, 3


def energies(x, cell_of, cells):
    """Of all coefficients, each in its cell."""
    k = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in x.shape), indexing="ij")
    cell = cell_of(np.sqrt(sum(i**2 for i in k)))
    power = np.abs(np.fft.fftn(x) / x.size) ** 2
    return np.array([power[cell == i].sum() for i in range(cells)])


def mean_energies(batch, field, cell_of, cells):
    found = [(energies(field(row), cell_of, cells), w) for row, _, w in rows_of(batch)]
    if not found:
        return np.full(cells, np.nan)
    each, weights = zip(*found, strict=True)
    return np.average(each, axis=0, weights=weights)


@few
@given(seed=seeds)
def test_spectral_error(seed):
    for way, _ in WAYS:
        batch = batch_of(seed, PAIR)
        error = lambda row: row["predictions"] - row["targets"]
        band = lambda k: np.searchsorted(EDGES, k, "right") - 1
        want = np.sqrt(mean_energies(batch, error, band, len(EDGES)))
        got = way(eqm.fields.SpectralError(2, edges=EDGES), batch).compute()
        np.testing.assert_allclose(got, want, 1e-5, 1e-6 * np.nan_to_num(want.max()))


@few
@given(seed=seeds)
def test_energy_spectrum(seed):
    for way, _ in WAYS:
        batch = batch_of(seed, PAIR)
        shell = lambda k: np.floor(k + 0.5)
        want = {n: mean_energies(batch, lambda row, n=n: row[n], shell, 3) for n in PAIR}
        got = way(eqm.fields.EnergySpectrum(2, 3), batch).compute()
        for name, x in want.items():
            np.testing.assert_allclose(got[name], x, 1e-5, 1e-6 * np.nan_to_num(x.max()))
        p, t = (x[1:] for x in want.values())
        if p.min() > 1e-9 * p.max() and t.min() > 1e-9 * t.max():
            away = np.sqrt(np.mean((10 * np.log10(p / t)) ** 2))
            np.testing.assert_allclose(got["log_spectral_distance"], away, 1e-3, 1e-3)


@pytest.mark.parametrize("grid", [(8,), (7,), (4, 6), (5, 4), (3, 4, 5), (1, 6)])
def test_the_bands_sum_to_the_mean_square(grid):
    x = np.random.default_rng(0).normal(size=(2, *grid)).astype(np.float32)
    bands = eqm.fields.SpectralError(len(grid))(predictions=x, targets=np.zeros_like(x))
    np.testing.assert_allclose(np.sum(np.square(bands)), np.mean(x**2), rtol=1e-5)


def test_by_hand():
    at = jnp.arange(16) / 16
    wave = lambda k: jnp.cos(2 * jnp.pi * k * at)[None]
    zero = jnp.zeros((1, 16))
    error = eqm.fields.SpectralError(1, edges=(0, 2, 8))
    of = lambda x: np.asarray(error(predictions=x, targets=zero))
    np.testing.assert_allclose(of(wave(0)), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(of(wave(2)), [0, 0.5**0.5, 0], atol=1e-6)
    np.testing.assert_allclose(of(wave(8)), [0, 0, 1], atol=1e-6)  # the highest of all
    np.testing.assert_allclose(of(zero), 0)
    assert not jax.grad(lambda x: jnp.sum(error(predictions=x, targets=zero)))(zero).any()
    spectrum = eqm.fields.EnergySpectrum(1, 4)
    value = spectrum(predictions=0.5 * wave(2) + 1, targets=wave(2) + 1)
    np.testing.assert_allclose(value["targets"], [1, 0, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(value["predictions"], [1, 0, 0.125, 0], atol=1e-6)
    both = sum(wave(k) for k in range(1, 4))
    apart = spectrum(predictions=0.1 * both, targets=both)["log_spectral_distance"]
    np.testing.assert_allclose(apart, 20, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_any_scale(scale):
    x = jnp.full((1, 4), scale)
    value = eqm.fields.SpectralError(1)(predictions=x, targets=x * 0)
    np.testing.assert_allclose(value[0], scale, rtol=1e-6)


def test_squares_out_of_range_are_told():
    x = jnp.full((1, 4), 1e-25)
    assert jnp.isnan(eqm.fields.SpectralError(1)(predictions=x, targets=x * 0)).all()


def test_undefined_and_refused():
    x = jnp.ones((2, 4))
    error, spectrum = eqm.fields.SpectralError(1), eqm.fields.EnergySpectrum(1, 3)
    assert jnp.isnan(error.compute()).all()
    assert all(jnp.isnan(v).all() for v in spectrum.compute().values())
    assert jnp.isnan(spectrum(predictions=x, targets=x)["log_spectral_distance"])
    with pytest.raises(TypeError, match=r"`mask` is bool\[2, 4\].*whole fields.*\(2,\)"):
        error(predictions=x, targets=x, mask=x > 0)
    with pytest.raises(TypeError, match=r"has 3 shells, expected 9.*EnergySpectrum\(1, 3\)"):
        eqm.fields.EnergySpectrum(1, 9)(predictions=x, targets=x)
    with pytest.raises(TypeError, match="without points"):
        error(predictions=x[:, :0], targets=x[:, :0])
    for edges in ((), (1, 1), (-1, 2)):
        with pytest.raises(ValueError, match="increasing wavenumbers"):
            eqm.fields.SpectralError(1, edges=edges)
    with pytest.raises(ValueError, match="axes=4: .*1 to 3"):
        eqm.fields.SpectralError(4)
    with pytest.raises(ValueError, match="num_shells=1"):
        eqm.fields.EnergySpectrum(1, 1)
