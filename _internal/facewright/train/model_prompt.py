"""Which model is trained: chosen, renamed or deleted on the console; the answers of its last run.

No keras: it is imported before there is anything to do.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.options import Option, PromptPlan, declared, question, show
from facewright.core.workspace import Workspace
from facewright.nn import saved_models
from facewright.nn.saved_models import SavedModelInfo
from facewright.train.keys import any_key
from facewright.train.options import TrainOptions
from facewright.train.recipe import Recipe, edited
from facewright.train.recipe_names import KEPT, NONE, STATE

OFFER_SECONDS = 2.0


def saved_with_model() -> list[str]:
    """Return the names of the options whose values a model keeps for its next run."""
    return [spec.name for spec in declared(TrainOptions) if spec.saved_with_model]


def options_of_saved(settings: type, saved: Mapping[str, Any]) -> type:
    """Return a model's options for a further run: the saved values are the defaults.

    Only those declared with `per_run` may change and are asked; the others are fixed since the model was created.

    Args:
        settings: The declared options of the network.
        saved: Values by name, as a saved state holds them.
    """
    fields: list[Any] = []
    for spec in declared(settings):
        value = spec.parse(show(saved[spec.name])) if spec.name in saved else spec.default
        kept = dataclasses.replace(spec, default=value, remember=False, ask=spec.ask if spec.per_run else None)
        fields.append((spec.name, spec.kind, dataclasses.field(default=value, metadata={"option": kept})))
    made = dataclasses.make_dataclass(settings.__name__, fields, frozen=True)
    made.__module__ = settings.__module__
    return made


def plan_training_prompts(
    workspace: Workspace,
    flags: Mapping[str, Any],
    kinds: Option,
    wait_for_key: Callable[[float], bool] = any_key,
) -> PromptPlan:
    """Settle which model is meant and whether the questions are asked.

    Without a terminal: the model named by --name; else the one called like --model; else the one saved last.

    Args:
        workspace: The project.
        flags: What the command line gave, None for what it did not.
        kinds: The option that names the network.
        wait_for_key: Waits some seconds for a key, with which the user asks for the questions.
    """
    here = [model for model in saved_models.list_saved_models(workspace.model_dir) if model.kind in kinds.choices]
    name, kind = flags.get("name"), flags.get("model")
    if not name and not kind and here:
        if not console.interactive() or flags.get("debug"):
            name = here[0].name
        else:
            name = _choose(workspace)
            if not name:
                return _new(workspace, kinds)
    name = str(name or kind or "")
    known = saved_models.read_model_info(workspace.model_dir, name) if name else None
    if not known or not known.kind:
        return PromptPlan({"name": name} if name else {}, {"target_iter": 0})
    remembered = last_answers(known)
    settled: dict[str, Any] = {"name": name}
    if not kind and known.kind in kinds.choices:
        settled["model"] = known.kind
    return PromptPlan(settled, remembered, ask=_wants_questions(known, remembered, wait_for_key))


def last_answers(model: SavedModelInfo) -> dict[str, Any]:
    """Return the answers of a model's last run; a target that was reached counts no longer."""
    kept = model.state.get("settings")
    found = {n: kept[n] for n in saved_with_model() if n in kept} if isinstance(kept, dict) else {}
    target = found.get("target_iter", 0)
    open_ = isinstance(target, int) and target > model.iteration
    return {**found, "target_iter": target if open_ else 0, "recipe": KEPT if model.state.get(STATE) else NONE}


def _wants_questions(model: SavedModelInfo, answers: Mapping[str, Any], wait_for_key: Callable[[float], bool]) -> bool:
    """Offer the answers of the last run for a moment; without a terminal nothing is asked or awaited."""
    if not console.interactive():
        return False
    console.say(f"Continuing with {model.name} ({model.describe()}): {_describe_answers(answers)}.")
    console.say(f"To change these answers, press a key within {OFFER_SECONDS:.0f} seconds.")
    return wait_for_key(OFFER_SECONDS)


def _describe_answers(answers: Mapping[str, Any]) -> str:
    """Return the answers of the last run in a line; those that are the default are left out."""
    defaults = {spec.name: spec.default for spec in declared(TrainOptions)}
    changed = {name: value for name, value in answers.items() if value != defaults.get(name)}
    return ", ".join(f"{n.replace('_', ' ')} {show(v)}" for n, v in changed.items()) or "all answers as usual"


def _choose(workspace: Workspace) -> str:
    """Return the name of the chosen model; "" for a new one."""
    model_dir = workspace.model_dir
    while True:
        there = saved_models.list_saved_models(model_dir)
        if not there:
            return ""
        console.say("Models, newest first:", needed=True)
        for number, model in enumerate(there, 1):
            console.say(f"  {number}  {model.name:<20} {model.describe()}", needed=True)
        answer = console.ask("Number, n = new, r 1 = rename, d 1 = delete [1]: ").lower()
        word, _, rest = answer.partition(" ")
        try:
            if answer == "n":
                return ""
            named = any(model.name.lower() == answer for model in there)  # a name may hold blanks
            if word in ("r", "d") and not named:
                _change(workspace, word, _pick(there, rest.strip()))
                continue
            return _pick(there, answer or "1").name
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")


def _pick(there: list[SavedModelInfo], word: str) -> SavedModelInfo:
    named = [model for model in there if model.name.lower() == word]
    if named:
        return named[0]
    if word.isascii() and word.isdigit() and 1 <= int(word) <= len(there):
        return there[int(word) - 1]
    said = f"There is no model {word!r}." if word else "No model was named."
    raise UserError(said, f"a number from 1 to {len(there)}, or a name.", "answer again.")


def _change(workspace: Workspace, word: str, model: SavedModelInfo) -> None:
    if word == "r":
        new = console.ask(f"New name of {model.name} (Enter: keep it): ")
        if new:
            with workspace.lock("model"):
                saved_models.rename(workspace.model_dir, model.name, new)
    elif console.confirm(f"Delete {model.name} ({model.describe()})? It goes to the trash folder."):
        with workspace.lock("model"):
            trash = saved_models.delete(workspace.model_dir, model.name, workspace.trash)
        console.say(f"{model.name} is in {trash}.")


def _new(workspace: Workspace, kinds: Option) -> PromptPlan:
    kind = str(question(kinds, kinds.default))
    taken = {path.name.lower() for path in workspace.model_dir.iterdir()}
    offered = next(n for n in (kind, *(f"{kind} {k}" for k in range(2, 1000))) if n.lower() not in taken)
    while True:
        name = console.ask(f"Name of the new model [{offered}]: ") or offered
        try:
            saved_models.check_name(name)
            if name.lower() in taken:
                raise UserError(f"There is {name} already.", "a new name.", "choose another one.")
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")
            continue
        return PromptPlan({"model": kind, "name": name}, {"target_iter": 0})


def ask_for_changes(recipe: Recipe) -> Recipe:
    """Show the stages of a recipe, and let somebody change them until Enter; without a terminal it stays."""
    while console.interactive():
        console.say(f"{recipe.title}:", needed=True)
        for line in recipe.lines():
            console.say(f"  {line}", needed=True)
        answer = console.ask(
            "Change a stage, for example 2 begins after 30 minutes, or 2 learning-rate 0.5 [as it is]: "
        )
        if not answer:
            break
        try:
            recipe = edited(recipe, answer)
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")
    return recipe
