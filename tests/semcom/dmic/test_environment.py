"""The environment of bit allocation: it keeps gymnasium's contract and plays what is measured."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

import semcom
from semcom.dmic import Policy
from semcom.dmic.environment import BitAllocation, Observation
from semcom.dmic.episode import Exchange, Scene
from semcom.dmic.policy import contexts, offsets_of, planes
from semcom.dmic.units import OFFSETS, grid
from tests.refusals import refused

SHAPE = (96, 120)
RATES = {31: Exchange(9e3, 2e4), 40: Exchange(4e3, 1e4)}


def bright(images: torch.Tensor) -> torch.Tensor:
    """What is brighter than the middle, softly."""
    return torch.sigmoid(20 * (images - 0.55))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    drawn = semcom.data.phantoms("angiography", n=2, size=128)[0][:, 0].numpy()
    return [Scene(image[: SHAPE[0], : SHAPE[1]], [bright], "ultrafast") for image in drawn]


@pytest.fixture
def environment(scenes: list[Scene]) -> BitAllocation:
    return BitAllocation(scenes, RATES)


def played(
    environment: BitAllocation, actions: NDArray[np.int64], **asked: Any
) -> tuple[list[Observation], list[float], dict[str, Any]]:
    """All observations before an action, all rewards, and what is told at the end."""
    seen, _ = environment.reset(**asked)
    observations, rewards, ended, info = [], [], False, {}
    for action in actions.ravel():
        assert not ended and not info
        observations.append(seen)
        seen, reward, ended, cut, info = environment.step(action)
        assert seen in environment.observation_space and not cut
        rewards.append(reward)
    assert ended
    return observations, rewards, info


def test_it_keeps_the_contract(environment: BitAllocation) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(environment, skip_render_check=True)


def test_rewards_add_up_to_the_credits(environment: BitAllocation, scenes: list[Scene]) -> None:
    actions = np.random.default_rng(0).integers(len(OFFSETS), size=grid(*SHAPE))
    _, rewards, info = played(environment, actions, options={"scene": 1, "base_qp": 40})
    coded = scenes[1].coded(40, offsets_of(actions))
    credits = RATES[40].credits(coded, scenes[1].anchor(40))
    assert not any(rewards[:-1])
    assert sum(rewards) == pytest.approx(credits.mean())
    np.testing.assert_array_equal(info["credits"], credits)
    np.testing.assert_array_equal(info["offsets"], offsets_of(actions))
    assert info["num_bytes"] == coded.num_bytes
    flat = np.full(grid(*SHAPE), OFFSETS.index(0))
    assert sum(played(environment, flat, options={"base_qp": 31})[1]) == 0


def test_what_is_seen_is_the_unit_amid_its_surroundings(
    environment: BitAllocation, scenes: list[Scene]
) -> None:
    flat = np.full(grid(*SHAPE), OFFSETS.index(0))
    observations, _, _ = played(environment, flat, options={"scene": 0})
    whole = planes(scenes[0].image, scenes[0].found[0])[0].numpy()
    np.testing.assert_array_equal(observations[5]["unit"][:, 16:48, 16:48], whole[:, 32:64, 32:64])
    np.testing.assert_array_equal(observations[5]["unit"], whole[:, 16:80, 16:80])
    corner = observations[0]["unit"]
    np.testing.assert_array_equal(corner[:, 0], corner[:, 16])
    np.testing.assert_allclose(observations[0]["global"], whole.mean((1, 2)))


def test_the_same_seed_plays_the_same_episode(scenes: list[Scene]) -> None:
    one, other = BitAllocation(scenes, RATES), BitAllocation(scenes, RATES)
    drawn = [[env.reset(seed=3 if i == 0 else None)[1] for i in range(12)] for env in (one, other)]
    assert drawn[0] == drawn[1]
    assert {(info["scene"], info["base_qp"]) for info in drawn[0]} == {
        (scene, qp) for scene in (0, 1) for qp in RATES
    }


def test_a_policy_chooses_here_what_it_chooses_by_itself(
    environment: BitAllocation, scenes: list[Scene]
) -> None:
    torch.manual_seed(2)
    policy, level = Policy(), torch.tensor([31.0])
    with torch.no_grad():
        policy.head.actor[-1].weight.mul_(60)
        policy.head.actor[-1].bias.zero_()
        features = policy.trunk(planes(scenes[0].image, scenes[0].found[0]), level)
    alone = policy.choose(features, level)
    assert len(np.unique(alone)) > 1
    seen, _ = environment.reset(options={"scene": 0, "base_qp": 31})
    told, info = [], {}
    for feature in features[0].flatten(0, 1):
        told.append(torch.from_numpy(seen["context"]))
        with torch.no_grad():
            logs, *_ = policy.head(feature, told[-1])
        seen, _, _, _, info = environment.step(int(logs.argmax()))
    np.testing.assert_array_equal(info["offsets"], offsets_of(alone[0]))
    assert torch.equal(torch.stack(told).reshape(1, *grid(*SHAPE), -1), contexts(alone, level))


def test_rates_are_reckoned_where_none_are_given(scenes: list[Scene]) -> None:
    environment = BitAllocation(scenes, base_qps=(31, 37, 43))
    assert list(environment.rates) == [31, 37, 43]
    assert all(rate.slope > 0 for rate in environment.rates.values())


def test_what_cannot_be_played_is_refused(scenes: list[Scene]) -> None:
    refused(lambda: BitAllocation([]), "no scene to play")
    refused(lambda: BitAllocation(scenes, {}), "no base QP to play at")
    refused(lambda: BitAllocation(scenes, base_qps=(31, 37)), "three rising")
    environment = BitAllocation(scenes, RATES)
    refused(lambda: environment.step(0), "call reset first")
    refused(lambda: environment.reset(options={"base_qp": 32}), "one of 31, 40, got 32")
    refused(lambda: environment.reset(options={"scene": 2}), r"scene must be an int in 0\.\.1")
    refused(lambda: environment.reset(options={"scenes": 0}), "did you mean 'scene'")
    environment.reset(seed=0)
    refused(lambda: environment.step(9), r"action must be an int in 0\.\.8")
    played(environment, np.zeros(grid(*SHAPE), np.int64))
    refused(lambda: environment.step(0), "call reset first")
