"""What holds for every piece of a model, whatever it is given."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from docre.testing.saying import in_dtype, must, must_equal, tensors_in, with_tensors

Inputs = tuple[Any, ...]


class ModuleTester:
    """Checks of a module: saving, copies, data types, gradients, compilation.

    Parameters are moved by a little before each check, so that what begins at zero counts too.

    Attributes:
        tolerance: How much two results may differ that are to be the same.
        half_tolerance: The same between bfloat16 and float32.
        stirring: How far parameters are moved.
        without_gradient: Endings of names of parameters that nothing can move, for instance a bias
            that a softmax or a batch normalisation takes away again.
        compile_backend: What ``torch.compile`` is tried with. ``aot_eager`` traces forward and
            backward pass and needs no compiler; ``inductor`` takes half a minute and needs one.
    """

    tolerance: ClassVar[float] = 1e-5
    half_tolerance: ClassVar[float] = 0.1
    stirring: ClassVar[float] = 0.05
    without_gradient: ClassVar[tuple[str, ...]] = ()
    compile_backend: ClassVar[str] = "aot_eager"

    # --- what the family says ---------------------------------------------------------------------

    def build(self) -> nn.Module:
        """Return a new piece."""
        raise NotImplementedError

    def inputs(self) -> Inputs:
        """Return new inputs in float64."""
        raise NotImplementedError

    def empty_inputs(self) -> Inputs:
        """Return inputs in which there is no pair."""
        raise NotImplementedError

    def outputs(self, module: nn.Module, inputs: Inputs) -> tuple[Tensor, ...]:
        """Return all that a piece makes of its inputs."""
        raise NotImplementedError

    def sources(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return the inputs that come from an encoder, which is to learn through them."""
        raise NotImplementedError

    def name(self, module: nn.Module) -> str:
        """Return what messages call the piece."""
        return type(module).__name__

    # --- the checks -------------------------------------------------------------------------------

    def test_evaluation_is_the_same_each_time(self) -> None:
        """Nothing is drawn by chance, and nothing is kept of the last time."""
        module, inputs = self.ready(), self.inputs()
        first = self.outputs(module, inputs)
        for one, other in zip(first, self.outputs(module, inputs), strict=True):
            same = torch.equal(one, other)
            must(
                same,
                f"{self.name(module)}: two evaluations of the same inputs differ. Draw numbers "
                "only while self.training (nn.Dropout does), and change no state in forward",
            )

    def test_inputs_are_left_alone(self) -> None:
        """What others hold is not written to."""
        module, inputs = self.ready(), self.inputs()
        before = {name: (t.clone(), t._version) for name, t in tensors_in(inputs)}
        self.outputs(module, inputs)
        for name, tensor in tensors_in(inputs):
            copied, version = before[name]
            must(
                tensor._version == version and torch.equal(tensor, copied),
                f"{self.name(module)} writes into {name}, which belongs to the caller: write "
                "x = x + 1 in place of x += 1, or clone() first",
            )

    def test_every_parameter_learns(self) -> None:
        """A gradient reaches every parameter, and goes on to the encoder."""
        module, inputs = self.ready(training=True), self.inputs()
        sources = self._leaves(inputs)
        self._backward(module, inputs)
        for name, parameter in module.named_parameters():
            where = f"{self.name(module)}: the parameter {name}"
            if parameter.grad is None:
                raise AssertionError(
                    f"{where} takes no part in the result, at which plain data-parallel training "
                    "stops: use it or leave it out"
                )
            must(
                name.endswith(self.without_gradient) or _moves(parameter.grad),
                f"{where} gets no gradient but zeros, so it never learns: look for detach(), "
                "argmax, or what is added and taken away again. If it has to be so, name it in "
                "without_gradient",
            )
        self._finite(module, sources, self.name(module))
        reached = {name for name, t in sources.items() if t.grad is not None and _moves(t.grad)}
        self.must_reach(module, set(sources), reached)

    def must_reach(self, module: nn.Module, wanted: set[str], reached: set[str]) -> None:
        """Say whether enough of the inputs got a gradient."""
        missing = ", ".join(sorted(wanted - reached))
        must(
            not missing,
            f"{self.name(module)} hands no gradient on to {missing}: what comes before it cannot "
            "learn. Look for detach(), no_grad() or .data",
        )

    def test_nothing_to_do(self) -> None:
        """Without a pair there is a result, and a gradient for every parameter."""
        module, inputs = self.ready(training=True), self.empty_inputs()
        self._leaves(inputs)
        self._backward(module, inputs)
        without = [name for name, p in module.named_parameters() if p.grad is None]
        must(
            not without,
            f"{self.name(module)}: without a pair the parameters {', '.join(without)} have no "
            "gradient. A batch may have no pair, and data-parallel training then waits for ever: "
            "compute with tensors of 0 rows in place of returning early",
        )

    def test_state_dict_is_all_there_is(self) -> None:
        """A saved piece, loaded into one that was begun otherwise, gives the same."""
        module, other, inputs = self.ready(), self.ready(seed=1), self.inputs()
        file = io.BytesIO()
        torch.save(module.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file, weights_only=True), strict=True)
        self._same(
            module,
            other,
            inputs,
            "a checkpoint does not bring everything back. Keep what the result depends on as "
            "nn.Parameter, or by register_buffer, and modules in nn.ModuleList or nn.ModuleDict",
        )

    @pytest.mark.parametrize("how", ["pickle", "copy"])
    def test_copies_are_the_same(self, how: str) -> None:
        """It can be pickled and copied, as trainers with several processes do."""
        module, inputs = self.ready(), self.inputs()
        self.outputs(module, inputs)  # what is kept in evaluation must not be in the way
        try:
            made = pickle.loads(pickle.dumps(module)) if how == "pickle" else copy.deepcopy(module)
        except Exception as error:
            raise AssertionError(
                f"{self.name(module)} cannot be copied by {how} ({error}). Keep no lambda, open "
                "file or local class in the module"
            ) from error
        self._same(module, made, inputs, f"a copy made by {how} gives something else")

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
    def test_data_type(self, dtype: torch.dtype) -> None:
        """It computes in the data type it was brought to."""
        exact = self.outputs(self.ready(), self.inputs())
        module = self.ready(dtype=dtype)
        given = in_dtype(self.inputs(), dtype)
        for found, wanted in zip(self.outputs(module, given), exact, strict=True):
            where = f"{self.name(module)} in {dtype}"
            must(
                found.dtype == dtype,
                f"{where} gives {found.dtype}. Make new tensors by x.new_zeros(...) or with "
                "dtype=x.dtype, and cast with torch.promote_types(x.dtype, torch.float32)",
            )
            must_equal(found, wanted, 1e-3, f"{where} differs from float64")

    @pytest.mark.parametrize("given_as", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
    def test_half_precision(self, given_as: torch.dtype) -> None:
        """Under ``precision: bf16-mixed`` results are close, and gradients are numbers."""
        module = self.ready(dtype=torch.float32)
        exact = self.outputs(module, in_dtype(self.inputs(), torch.float32))
        inputs = in_dtype(self.inputs(), given_as)
        sources = self._leaves(inputs)
        where = f"{self.name(module)} under bf16-mixed"
        try:
            with torch.autocast("cpu", torch.bfloat16):
                found = self.outputs(module, inputs)
            total = torch.stack([output.float().square().sum() for output in found]).sum()
            torch.autograd.backward(total)
        except RuntimeError as error:
            raise AssertionError(
                f"{where} stops: {error}. Under autocast linear layers give bfloat16, parameters "
                "are float32: cast with x.to(y.dtype) before adding or indexing into one another"
            ) from error
        for one, other in zip(found, exact, strict=True):
            must_equal(one, other, self.half_tolerance, f"{where} is far from float32")
        self._finite(module, sources, where)

    def test_large_inputs_stay_finite(self) -> None:
        """Nothing overflows before it is normalised."""
        module = self.ready(dtype=torch.float32, training=True)
        inputs = in_dtype(self.inputs(), torch.float32)
        for tensor in self.sources(inputs).values():
            tensor.mul_(1e3)
        sources = self._leaves(inputs)
        outputs = self._backward(module, inputs)
        where = f"{self.name(module)} with inputs a thousand times as large"
        for output in outputs:
            must(
                bool(output.isfinite().all()),
                f"{where} gives numbers that are not finite: use logsumexp, softmax and logsigmoid "
                "in place of exp and log",
            )
        self._finite(module, sources, where)

    def test_compiled_is_the_same(self) -> None:
        """``torch.compile`` takes it, and it gives the same."""
        if self.compile_backend == "inductor" and not any(map(shutil.which, ("g++", "clang++"))):
            pytest.skip("inductor needs a C++ compiler (g++ or clang++), and there is none")
        module, inputs = self.ready(), self.inputs()
        torch._dynamo.reset()
        compiled = torch.compile(module, backend=self.compile_backend)
        expected = self.outputs(module, inputs)
        # checked by calling it in place of the module, which knows nothing of it
        found = self.outputs(compiled, inputs)  # type: ignore[arg-type]
        for one, other in zip(found, expected, strict=True):
            must_equal(
                one, other, self.tolerance, f"{self.name(module)} gives something else compiled"
            )

    def test_on_a_gpu(self) -> None:
        """It gives the same where the accelerator is, and makes no tensor elsewhere."""
        if not torch.cuda.is_available():
            pytest.skip("there is no GPU")
        module, inputs = self.ready(), self.inputs()
        expected = self.outputs(module, inputs)
        moved = with_tensors(inputs, lambda tensor: tensor.to("cuda"))
        found = self.outputs(module.to("cuda"), moved)
        for one, other in zip(found, expected, strict=True):
            must(one.is_cuda, f"{self.name(module)} gives results that are not on the GPU")
            must_equal(
                one, other, self.tolerance, f"{self.name(module)} gives something else on a GPU"
            )

    # --- what checks have in common ---------------------------------------------------------------

    def ready(
        self, dtype: torch.dtype = torch.float64, training: bool = False, seed: int = 0
    ) -> nn.Module:
        """Return a new piece whose parameters are moved by a little."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self.build().double()
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.add_(self.stirring * torch.randn(parameter.shape).to(parameter))
        return module.to(dtype).train(training)

    def _backward(self, module: nn.Module, inputs: Inputs) -> tuple[Tensor, ...]:
        """Run forward and backward, with other factors for each number that comes out."""
        outputs = self.outputs(module, inputs)
        total: Any = 0
        for output in outputs:
            draw = torch.Generator().manual_seed(2)
            total = total + (output * torch.rand(output.shape, generator=draw).to(output)).sum()
        must(
            total.requires_grad,
            f"{self.name(module)} gives a result without a graph, so nothing can learn from it: "
            "look for detach(), no_grad() or .data",
        )
        total.backward()
        return outputs

    def _same(self, module: nn.Module, other: nn.Module, inputs: Inputs, what: str) -> None:
        pairs = zip(self.outputs(module, inputs), self.outputs(other, inputs), strict=True)
        for one, another in pairs:
            must_equal(another, one, 1e-9, f"{self.name(module)}: {what}")

    def _leaves(self, inputs: Inputs) -> dict[str, Tensor]:
        """Ask for gradients of what comes from an encoder, and return it."""
        sources = self.sources(inputs)
        for tensor in sources.values():
            tensor.requires_grad_()
        return sources

    def _finite(self, module: nn.Module, sources: dict[str, Tensor], where: str) -> None:
        """Check the gradients of parameters and inputs that have any."""
        for name, tensor in (*module.named_parameters(), *sources.items()):
            finite = tensor.grad is None or bool(tensor.grad.isfinite().all())
            must(finite, f"{where}: the gradient of {name} has numbers that are not finite")


def _moves(gradient: Tensor) -> bool:
    return bool(gradient.abs().max() > 1e-12)
