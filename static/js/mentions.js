// @ in a comment offers the members of the project. <form data-mentions> holds a textarea and the names as JSON in #members.
const form = document.querySelector("form[data-mentions]");
const area = form?.querySelector("textarea");
const names = JSON.parse(document.getElementById("members")?.textContent || "[]");

if (area && names.length) {
  const list = document.createElement("div");
  list.className = "mention-list";
  list.id = "mention-list";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Members");
  area.after(list);
  area.setAttribute("aria-controls", list.id);
  area.setAttribute("aria-autocomplete", "list");
  let chosen = 0;

  const begun = () => /(^|\s)@([^\n@]{0,40})$/.exec(area.value.slice(0, area.selectionStart));
  const options = () => [...list.children];

  const close = () => {
    list.hidden = true;
    area.removeAttribute("aria-activedescendant");
  };

  function mark(at) {
    chosen = (at + options().length) % options().length;
    options().forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
    area.setAttribute("aria-activedescendant", options()[chosen].id);
  }

  function put(name) {
    const found = begun();
    const start = area.selectionStart - found[2].length;
    area.setRangeText(`${name} `, start, area.selectionStart, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
    close();
    area.focus();
  }

  function offer() {
    const found = begun();
    const fitting = found ? names.filter((name) => name.toLowerCase().includes(found[2].toLowerCase())).slice(0, 8) : [];
    if (!fitting.length) return close();
    list.replaceChildren(...fitting.map((name, place) => {
      const option = document.createElement("button");
      option.type = "button";
      option.className = "menu-item";
      option.id = `mention-${place}`;
      option.tabIndex = -1;
      option.setAttribute("role", "option");
      option.textContent = name;
      option.addEventListener("pointerdown", (event) => event.preventDefault());
      option.addEventListener("click", () => put(name));
      return option;
    }));
    list.hidden = false;
    return mark(0);
  }

  area.addEventListener("input", offer);
  area.addEventListener("blur", close);
  area.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const act = {
      ArrowDown: () => mark(chosen + 1), ArrowUp: () => mark(chosen - 1), Escape: close,
      Enter: () => options()[chosen].click(), Tab: () => options()[chosen].click(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}
