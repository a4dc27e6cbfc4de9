"""The parts of the study: data, pairs, network, theory, statistics, figures."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gc_study import data, records
from gc_study.settings import Fit, Settings, fits_of

HERE = Path(__file__).parent
RESULTS = HERE / "results"


class TestSettings:
    def test_the_default_study(self):
        groups = fits_of(Settings(), fine_tuning=True)
        every = {fit for group in groups for fit in group}
        # Two starts with three arms and one with two, three optimizers, twenty seeds.
        assert sum(map(len, groups)) == len(every) == (2 * 3 + 2) * 3 * 20
        assert all(len({(fit.seed, fit.optimizer) for fit in group}) == 1 for group in groups)

    def test_without_other_classes_nothing_is_fine_tuned(self):
        groups = fits_of(Settings(seeds=2), fine_tuning=False)
        assert {fit.start for group in groups for fit in group} == {"fresh", "continued"}


class TestRecords:
    FIRST = records.heading(Settings(seeds=2, optimizers=("SGDM",)), {"keras": "3"})
    GROUPS = fits_of(Settings(seeds=2, optimizers=("SGDM",)), fine_tuning=False)

    def record(self, folder, fits):
        path = folder / "new" / "fits.jsonl"
        records.start(path, self.FIRST)
        for fit in fits:
            records.append(path, fit, {"loss": [0.5]})
        return path

    def test_a_whole_group_is_kept_and_a_part_is_not(self, tmp_path):
        path = self.record(tmp_path, [*self.GROUPS[0], *self.GROUPS[1][:2]])
        with path.open("a", encoding="utf-8") as file:
            file.write('{"seed": 1, "opti')  # the run was killed here
        kept = records.resume(path, self.FIRST, self.GROUPS)
        assert list(kept) == self.GROUPS[0]
        assert records.read(path) == (self.FIRST, kept)

    def test_another_study_is_refused(self, tmp_path):
        path = self.record(tmp_path, self.GROUPS[0])
        other = records.heading(Settings(seeds=3, optimizers=("SGDM",)), {"keras": "4"})
        with pytest.raises(records.RecordError, match="seeds: 2 there, 3 now"):
            records.resume(path, other, self.GROUPS)
        other = records.heading(Settings(seeds=2, optimizers=("SGDM",)), {"keras": "4"})
        with pytest.raises(records.RecordError, match="keras: 3 there, 4 now"):
            records.resume(path, other, self.GROUPS)

    def test_what_is_no_record_is_refused(self, tmp_path):
        path = tmp_path / "fits.jsonl"
        path.write_text("nonsense\n", encoding="utf-8")
        with pytest.raises(records.RecordError, match="no record"):
            records.resume(path, self.FIRST, self.GROUPS)


class TestDigits:
    @pytest.mark.sklearn
    def test_both_sets_and_the_others(self):
        images = data.digits()
        # 183 3s and 174 8s of 1797 digits, as scikit-learn documents them by class.
        assert images.train[0].shape == (256, 32, 32, 1)
        assert images.validation[0].shape == (183 + 174 - 256, 32, 32, 1)
        assert images.other[0].shape == (1797 - 183 - 174, 32, 32, 1)
        assert sum(part[1].sum() for part in (images.train, images.validation)) == 174
        every = np.concatenate([images.train[0], images.validation[0]])
        assert every.min() == 0
        assert every.max() == 1
        assert len(np.unique(every, axis=0)) == len(every), "an image is in both sets"

    def test_a_shift_moves_the_image_and_brings_in_black(self):
        images = np.zeros((200, 8, 8, 1), dtype="float32")
        images[:, 4, 4] = 1
        moved = data.shifted(images, np.random.default_rng(0), most=3)
        assert moved.shape == images.shape
        assert moved.dtype == images.dtype
        where = np.argwhere(moved == 1)
        assert where[:, 0].tolist() == list(range(200)), "one bright pixel in each image"
        assert sorted(set(where[:, 1])) == sorted(set(where[:, 2])) == list(range(1, 8))


@pytest.fixture
def horses(tmp_path, monkeypatch):
    """A folder for tensorflow_datasets, whose download is two small archives of the same form."""
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow and its parts warn of themselves
        import tensorflow_datasets as tfds
    archives = []
    for name, grays in (("train", (10, 20, 30, 40)), ("test", (50, 60))):
        archive = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for i, gray in enumerate(grays):
                with file.open(f"{('horses', 'humans')[i % 2]}/picture-{i}.png", "w") as picture:
                    image.new("RGB", (300, 300), (gray, 0, 255)).save(picture, "png")
        archives.append(archive)
    monkeypatch.setattr(tfds.download.DownloadManager, "download", lambda self, urls: archives)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path / "tfds"


@pytest.mark.keras
@pytest.mark.tensorflow_datasets
class TestHorsesOrHumans:
    def test_loading_and_augmentation(self, horses):
        images = data.horses_or_humans(horses)
        for (pictures, labels), expected in (
            (images.train, {(10, 0), (20, 1), (30, 0), (40, 1)}),
            (images.validation, {(50, 0), (60, 1)}),
        ):
            assert pictures.shape == (len(expected), 300, 300, 3)
            assert pictures.dtype == labels.dtype == "float32"
            assert (pictures[..., 2] == 1).all()
            grays = np.rint(255 * pictures[:, 150, 150, 0]).astype(int)
            assert set(zip(grays.tolist(), labels.tolist(), strict=True)) == expected
        assert images.other is None
        ramp = np.tile(np.linspace(0, 1, 300, dtype="float32")[:, None, None], (2, 1, 300, 3))
        once, again, other = (
            images.augment(ramp, np.random.default_rng(seed)) for seed in (1, 1, 2)
        )
        assert np.array_equal(once, again), "the same generator, the same images"
        assert not np.array_equal(once, other)
        assert not np.array_equal(once, ramp)
        assert once.shape == ramp.shape


@pytest.mark.keras
class TestBatches:
    IMAGES = np.arange(10, dtype="float32"), -np.arange(10, dtype="float32")

    def epochs(self, seed, count=2):
        from gc_study.batches import Batches

        batches = Batches(self.IMAGES, lambda x, rng: x + rng.integers(1, 100) / 1000, 4, seed)
        assert len(batches) == 3
        for _ in range(count):
            yield [batches[number] for number in range(3)]
            batches.on_epoch_end()

    def test_each_epoch_has_each_image_once_in_another_order(self):
        first, second = ([y for _, part in epoch for y in part] for epoch in self.epochs((7, 1)))
        assert sorted(first) == sorted(second) == sorted(self.IMAGES[1])
        assert first != second

    def test_images_keep_their_labels_and_are_augmented(self):
        for epoch in self.epochs((7, 1)):
            for images, labels in epoch:
                moved = images + labels
                assert (moved > 0).all()
                assert (moved < 0.1).all()

    def test_the_seed_decides(self):
        once, again, other = (
            np.concatenate([x for epoch in self.epochs(seed) for x, _ in epoch])
            for seed in ((7, 1), (7, 1), (7, 2))
        )
        assert np.array_equal(once, again)
        assert not np.array_equal(once, other)


@pytest.mark.keras
class TestNetwork:
    def test_at_full_size_it_is_the_tutorials(self):
        from gc_study.network import network

        model = network((300, 300, 3), 16)
        # 300 → 149 → 73 → 35 → 16 → 7 pixels: 3136 numbers go into the first Dense.
        convolutions = 448 + 4640 + 18496 + 36928 + 36928
        assert model.count_params() == convolutions + 3137 * 512 + 513

    def test_initial_weights_follow_the_seed(self):
        from gc_study.network import digest, initial_weights, network, with_new_head

        model = network((32, 32, 1), 2)
        once, again, other = (initial_weights(model, seed) for seed in (1, 1, 2))
        assert digest(once) == digest(again) != digest(other)
        assert np.abs(once[0]).max() <= np.sqrt(6 / (9 * 1 + 9 * 2))  # Glorot's limit
        mixed = with_new_head(other, once)
        assert all(a is b for a, b in zip(mixed, [*other[:-2], *once[-2:]], strict=True))


@pytest.mark.keras
class TestTheory:
    """Small cases that can be worked by hand."""

    def model(self):
        import keras

        return keras.Sequential([keras.Input((3, 3, 1)), keras.layers.Conv2D(2, 2)])

    def test_norms(self):
        from gc_study.theory import norms

        # Columns (3, 1) and (4, 0): Φ leaves (1, −1) and (2, −2).
        g = np.array([[3.0, 4], [1, 0]])
        found = norms({"dense1.kernel": g, "dense1.bias": np.ones(2)})
        assert found["dense1"] == pytest.approx([np.sqrt(26), np.sqrt(10)])
        assert found["all"] == pytest.approx([np.sqrt(26), np.sqrt(10)])

    def test_drift(self):
        from gc_study.theory import drift

        before = [np.zeros((2, 2, 1, 2)), np.zeros(2)]
        # Filter 0 moves by (1, −1, 0, 0), not along e; filter 1 by (1, 1, 1, 1), along e.
        moved = np.array([[1.0, 1], [-1, 1], [0, 1], [0, 1]]).reshape(2, 2, 1, 2)
        found = drift(self.model(), before, [moved, np.ones(2)])
        assert found == {"conv1": {"share": pytest.approx(2 / np.sqrt(6)), "sum": 4.0}}

    def test_intensity_shift(self):
        from gc_study.theory import intensity_shift

        rng = np.random.default_rng(0)
        images = rng.random((3, 3, 3, 1), dtype="float32")
        before = np.zeros((2, 2, 1, 2), dtype="float32")
        before[..., 0] = 1  # 1ᵀw⁰ is 4 and 0: in the root mean square √8
        stays, grows = before.copy(), before.copy()
        stays[0, 0, 0] += 2
        stays[1, 1, 0] -= 2
        grows[0, 0, 0, 1] = 1  # 1ᵀw is 4 and 1
        same = intensity_shift([before], [stays], images)
        assert same["moved"] == pytest.approx(0, abs=1e-5)
        assert same["rms"] == pytest.approx(1, abs=1e-5)
        other = intensity_shift([before], [grows], images)
        assert other["moved"] == pytest.approx(1 / np.sqrt(8), abs=1e-5)
        assert other["rms"] == pytest.approx(np.sqrt(17 / 16), abs=1e-5)

    def test_the_probe_returns_the_gradient_and_changes_nothing(self):
        import keras
        from gc_study.theory import GradientProbe

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
        labelled = np.array([[1.0, 2], [3, -1]], dtype="float32"), np.array([1.0, 0])
        weights = [np.zeros((2, 1), dtype="float32"), np.zeros(1, dtype="float32")]
        found = GradientProbe(model, labelled).gradients(weights)
        # At zero both predictions are ½: the gradient is the mean of (½ − y)x.
        assert found["dense1.kernel"].tolist() == [[0.5], [-0.75]]
        assert found["dense1.bias"].tolist() == [0.0]
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))


@pytest.mark.sklearn  # which brings SciPy
class TestStatistics:
    def test_interval_of_a_large_normal_sample(self):
        from gc_study.statistics import paired

        values = np.random.default_rng(3).normal(0.1, 1, size=2500)
        found = paired(values)
        half = 1.96 * values.std(ddof=1) / 50
        assert found.mean == values.mean()
        # 9999 resamples know an end of the interval to about a fiftieth of its half.
        assert found.low == pytest.approx(values.mean() - half, abs=half / 10)
        assert found.high == pytest.approx(values.mean() + half, abs=half / 10)
        assert (found.negative, found.positive) == ((values < 0).sum(), (values > 0).sum())

    def test_equal_differences_have_no_spread(self):
        from gc_study.statistics import paired

        found = paired([0.0, 0.0, 0.0])
        assert (found.mean, found.low, found.high, found.pairs) == (0, 0, 0, 3)
        assert (found.negative, found.positive) == (0, 0)

    def test_seed_noise(self):
        from gc_study.statistics import seed_noise

        median, most = seed_noise([0.0, 1.0, 3.0])  # the runs are 1, 2 and 3 apart
        assert median == 2.0
        assert 2.8 < most < 3.0


def made_up_fits(example_differs=False):
    """Fits of a study of two seeds whose figures can be followed by hand."""
    loss = {
        ("fresh", "plain"): (0.5, 0.7),
        ("fresh", "GC"): (0.4, 0.6),
        ("continued", "plain"): (0.3, 0.3),
        ("continued", "GC"): (0.2, 0.4),
    }
    fits = {}
    settings = Settings(seeds=2, epochs=1, optimizers=("SGDM",))
    for fit in (fit for group in fits_of(settings, fine_tuning=False) for fit in group):
        arm = "plain" if fit.arm == "example" else fit.arm
        value = loss[fit.start, arm][fit.seed]
        differs = example_differs and fit == Fit(1, "SGDM", "continued", "example")
        fits[fit] = {
            "loss": [9.0, value],
            "val_loss": [9.0, value],
            "accuracy": [0.0, 1 - value],
            "val_accuracy": [0.0, 1 - value],
            "seconds": [2.0, 2.0] if fit.arm == "GC" else [1.0, 1.0],
            "weights": "other" if differs else f"{fit.start} {arm} {fit.seed}",
            "norms": {"conv1": [2.0, 1.0], "dense1": [2.0, 1.0], "dense2": [2.0, 1.0]}
            | {"all": [4.0, 1.0]},
            "drift": {n: {"share": 0.25, "sum": 3.0} for n in ("conv1", "dense1", "dense2")},
            "shift": {"rms": 1.0, "moved": 0.125},
        }
    return records.heading(settings, {"images": "made up", "backend": "none"}), fits


@pytest.mark.sklearn
class TestResults:
    def summary(self, **options):
        from gc_study.results import summarize

        return summarize(*made_up_fits(**options))

    def test_differences(self):
        found = {
            entry["effect"]: entry["mean"]
            for entry in self.summary()["differences"]
            if entry["metric"] == "loss"
        }
        assert found == pytest.approx(
            {"continuing": -0.3, "both": -0.3, "GC, fresh": -0.1, "GC, continued": 0.0}
        )

    def test_figures_and_seconds(self):
        results = self.summary()
        (cell,) = [c for c in results["cells"] if (c["start"], c["arm"]) == ("fresh", "plain")]
        assert cell["loss"] == pytest.approx({"mean": 0.6, "sd": np.sqrt(0.02)})
        assert results["seconds"]["SGDM"]["GC"]["ratio"] == 2.0
        assert results["seconds"]["SGDM"]["example"]["ratio"] == 1.0
        assert {e["kept"]["all"] for e in results["theory"]} == {0.25}

    def test_the_reading_says_what_the_weights_say(self):
        from gc_study.reading import reading
        from gc_study.tables import tables

        same, other = self.summary(), self.summary(example_differs=True)
        assert "none from GC: in 4 of 4 pairs" in reading(same)
        assert "continuing makes 100 % and GC 0 %" in reading(same)
        assert "this is a first look" in reading(same)
        assert "none from GC" not in reading(other)
        assert "in 3 of 4 pairs the example's optimizer leaves the weights" in reading(other)
        assert "plain, and the example's: the same bits" in tables(same)
        assert "| example |" in tables(other)
        assert "the same bits" not in tables(other)

    def test_a_sign_with_an_interval(self):
        from gc_study.reading import told
        from gc_study.tables import interval

        entry = {"mean": -0.02, "low": -0.03, "high": -0.01, "negative": 19, "positive": 1}
        entry |= {"pairs": 20}
        assert told(entry) == "lower than plain, −0.020 (−0.030 to −0.010), in 19 of 20 pairs"
        assert interval(entry) == "**−0.020 (−0.030 to −0.010)**"
        entry["high"] = 0.01
        assert told(entry) == "not told apart from plain, −0.020 (−0.030 to +0.010)"
        assert interval(entry) == "−0.020 (−0.030 to +0.010)"
