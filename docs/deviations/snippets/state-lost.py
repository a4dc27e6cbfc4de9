# State is lost when the optimizer is saved and restored.

# %% torch: SGD
class SGD(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0, use_gc=True):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.use_gc, self.states = use_gc, {}

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.states.setdefault(p, {})
                g = centralize(p.grad) if self.use_gc else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])


# %% keras: GCAdam
class GCAdam(keras.optimizers.Adam):
    def apply(self, grads, trainable_variables=None):
        return super().apply([centralize(g) for g in grads], trainable_variables)

    def save_own_variables(self, store):
        store["learning_rate"] = ops.convert_to_numpy(self.learning_rate)

    def load_own_variables(self, store):
        self.learning_rate = store["learning_rate"]
