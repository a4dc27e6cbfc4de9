"""How canonical hyperparameters reach a factory, and which argument switches GC on."""

import pytest

from gc_ref._conformance.adapters.shared.hyperparameters import read_signature, require_lr
from gc_ref._conformance.adapters.shared.switch import read_switch, switched_off
from gc_ref.conformance import Port, PortLoadError

EVERYTHING = {
    "lr": 0.5,
    "momentum": 0.25,
    "beta1": 0.5,
    "beta2": 0.75,
    "eps": 1.0,
    "weight_decay": 0.125,
}


def read(factory, settings=None, skip=0):
    def probe(arguments):
        try:
            factory(*[None] * skip, **arguments)
        except Exception:
            return False
        return True

    return read_signature(factory, settings or {}, probe=probe, skip=skip)


def never(arguments):
    raise AssertionError("asked a factory whose signature says everything")


def adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return lr, betas, eps


class TestNamedArguments:
    @pytest.mark.parametrize("name", ["lr", "learning_rate", "step_size", "alpha"])
    def test_each_name_of_the_learning_rate(self, name):
        namespace = {}
        exec(f"def factory(*, {name}): ...", namespace)
        found = read(namespace["factory"])
        assert found.takes == {"lr"}
        assert found.arguments(EVERYTHING, {}) == {name: 0.5}

    def test_the_usual_name_wins(self):
        def rmsprop(params, lr=0.01, alpha=0.99): ...

        assert read(rmsprop, skip=1).arguments(EVERYTHING, {}) == {"lr": 0.5}

    def test_one_pair_of_betas(self):
        found = read_signature(adam, {}, probe=never, skip=1)
        assert found.takes == {"lr", "beta1", "beta2", "eps"}
        assert found.arguments(EVERYTHING, {}) == {"lr": 0.5, "betas": (0.5, 0.75), "eps": 1.0}

    def test_three_betas_are_something_else(self):
        def adan(params, lr=1e-3, betas=(0.98, 0.92, 0.99)): ...

        assert read(adan, skip=1).takes == {"lr"}

    def test_leading_positional_arguments_are_left_out(self):
        def factory(alpha, learning_rate): ...

        assert read(factory, skip=1).names["lr"] == "learning_rate"


class TestSettings:
    def test_a_setting_is_fixed_and_no_longer_taken(self):
        found = read(adam, {"lr": 2}, skip=1)
        assert found.fixed == {"lr": 2.0}
        assert "lr" not in found.takes
        assert found.arguments(EVERYTHING, {"lr": 2})["lr"] == 2

    def test_fixed_betas(self):
        found = read(adam, {"betas": (0.8, 0.9)}, skip=1)
        assert found.fixed == {"beta1": 0.8, "beta2": 0.9}
        assert found.takes == {"lr", "eps"}

    def test_a_schedule_is_settled_but_no_number(self):
        found = read(adam, {"lr": lambda step: 0.5}, skip=1)
        assert found.fixed == {}
        assert found.takes == {"beta1", "beta2", "eps"}
        require_lr(found, "adam")

    def test_an_unknown_setting(self):
        with pytest.raises(PortLoadError, match=r"adam takes no argument 'use_gc'; it takes: lr, "):
            read(adam, {"use_gc": True}, skip=1)

    def test_no_learning_rate(self):
        with pytest.raises(PortLoadError, match="lr, learning_rate, step_size, alpha"):
            require_lr(read(lambda momentum: None), "nameless")


class TestKeywordArguments:
    def test_passed_on_to_another(self):
        def factory(params, use_gc=True, **kwargs):
            return adam(params, **kwargs)

        found = read(factory, skip=1)
        assert found.takes == {"lr", "beta1", "beta2", "eps"}
        assert found.betas

    def test_passed_on_to_one_whose_learning_rate_is_required(self):
        def strict(params, learning_rate, betas=(0.9, 0.999)): ...

        def factory(params, **kwargs):
            return strict(params, **kwargs)

        found = read(factory, skip=1)
        assert found.names["lr"] == "learning_rate"
        assert found.takes == {"lr", "beta1", "beta2"}

    def test_one_that_swallows_everything_takes_only_what_it_names(self):
        def radam(params, lr=1e-3, betas=(0.9, 0.999), **kwargs): ...

        assert read(radam, skip=1).takes == {"lr", "beta1", "beta2"}

    def test_one_that_swallows_everything_may_find_its_learning_rate_there(self):
        assert read(lambda **kwargs: kwargs).takes == {"lr"}

    def test_a_builtin_without_signature_is_asked(self):
        assert read(dict).takes == {"lr"}  # dict(anything=…) works: it swallows everything

    def test_a_swallowed_setting_counts(self):
        found = read(lambda **kwargs: kwargs, {"momentum": 0.75})
        assert found.fixed == {"momentum": 0.75}


def taken(settings, **options):
    return read_switch(lambda **kwargs: None, settings, **options)


class TestSwitch:
    @pytest.mark.parametrize(
        "name",
        ["use_gc", "gc", "centralize_gradients", "GC", "useGC", "usegc", "using_gc", "gc_on"],
    )
    def test_by_name(self, name):
        namespace = {}
        exec(f"def factory(params, {name}=True): ...", namespace)
        assert read_switch(namespace["factory"], {}, skip=1) == (name, True, False, ())

    @pytest.mark.parametrize(
        "name",
        [
            "gc_conv_only",
            "gc_loc",
            "no_gc",
            "centered",
            "use_agc",
            "useAGC",
            "usingNormGC",
            "norm_gc",
        ],
    )
    def test_what_is_no_switch(self, name):
        assert taken({name: True}) is None

    def test_only_a_boolean_is_one(self):
        def ranger21(agc_eps=1e-3, gc="all", use_gc=1): ...

        assert read_switch(ranger21, {}) is None

    def test_settings_win(self):
        def factory(use_gc=True): ...

        assert read_switch(factory, {"use_gc": False}) is None  # the user wants it off

    def test_one_at_a_time(self):
        def ranger21(use_gc=True, centralize=True, using_normgc=True): ...

        assert read_switch(ranger21, {}).words == "use_gc=False"
        assert read_switch(ranger21, {}).others == ("centralize",)
        assert read_switch(ranger21, {"use_gc": False}).words == "centralize=False"

    def test_the_one_that_the_user_names(self):
        def ranger21(use_gc=True, using_normgc=True, raw=False, eps=1e-8): ...

        assert read_switch(ranger21, {}, named="using_normgc").words == "using_normgc=False"
        assert read_switch(ranger21, {}, named="raw").words == "raw=True"
        for name in ("eps", "use_cg"):
            with pytest.raises(PortLoadError, match="such are: use_gc, using_normgc, raw"):
                read_switch(ranger21, {}, named=name)

    def test_off_is_made_with_that_flag_alone(self):
        port = Port("p", "torch", lambda case: None, "output-first")
        seen = []
        off, words, hint = switched_off(
            lambda **kw: None,
            {"use_gc": True, "centralize": True, "lr": 1},
            lambda settings, words: seen.append((settings, words)) or port,
        )
        assert off is port
        assert words == "use_gc=False"
        assert "use_gc is taken" in hint["hint"]
        assert "so could be: centralize (--switch" in hint["hint"]
        assert seen == [({"use_gc": False, "centralize": True, "lr": 1}, "use_gc=False")]

    @pytest.mark.parametrize("named", [None, "use_gc"])
    def test_one_that_waits_gives_a_hint(self, named):
        off, words, hint = switched_off(lambda use_gc=False: None, {}, lambda *_: None, named=named)
        assert (off, words) == (None, "")
        assert hint == {"hint": "GC is off, as use_gc=False: set use_gc=True to judge it"}

    def test_one_that_cannot_be_switched_off(self):
        def fail(settings, words):
            raise PortLoadError("no")

        off, words, hint = switched_off(lambda use_gc=True: None, {}, fail)
        assert (off, words) == (None, "")
        assert hint == {"hint": "cannot be made with use_gc=False: no"}
