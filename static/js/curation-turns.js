// The turns of a longer conversation: an answer and a question are added together, so that the two go on taking turns.
document.addEventListener("click", ({ target }) => {
  const turns = target.closest?.("[data-turns]");
  if (!turns) return;
  if (target.closest("[data-turn-remove]")) target.closest("[data-turn]").remove();
  else if (target.closest("[data-turn-add]")) {
    const template = turns.querySelector("template");
    const added = ["assistant", "user"].map((role) => {
      const turn = template.content.firstElementChild.cloneNode(true);
      turn.querySelector("select").value = role;
      template.before(turn);
      return turn;
    });
    added[0].querySelector("textarea").focus();
  }
});
