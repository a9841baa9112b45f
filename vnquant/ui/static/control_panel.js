// Control panel: draws what the kernel sends, and sends what is clicked. It decides nothing.

const BUTTONS = [
  ["start", "▶", "Start", "Start the orchestrator, or start it again"],
  ["pause", "❚❚", "Pause", "Begin no more scans and discussions; positions are still watched"],
  ["resume", "▷", "Resume", "Go on after a pause"],
  ["cancel", "■", "Cancel", "Cancel all tasks and close the ledger"],
];
const STATE_MARKS = {
  new: "○", starting: "◌", running: "●", paused: "❚❚", stopping: "◌", stopped: "■", failed: "✕",
};
const GROUPS = [
  ["", "All events"], ["decision", "Decisions"], ["order", "Orders"], ["scan", "Scans and news"],
  ["system", "System"],
];
// Two columns of sections, in the order in which Tab reaches them.
const COLUMNS = [["positions", "opportunities", "orders", "tasks"], ["feed", "news", "health"]];
const TYPING_MS = 200;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function header(model) {
  const mark = make("span", { "aria-hidden": "true" });
  const state = make("span");
  const pill = make("span", { class: "vnq-pill", role: "status" }, mark, " ", state);
  const since = make("span", { class: "vnq-since" });
  const why = make("span", { class: "vnq-why" });
  const time = make("b", { class: "vnq-time" });
  const day = make("span");
  const phase = make("span");
  const pace = make("span", { class: "vnq-pace" });
  const buttons = make("div", { class: "vnq-buttons", role: "toolbar", "aria-label": "Orchestrator" });
  for (const [name, sign, label, help] of BUTTONS) {
    const button = make("button", { type: "button", "data-do": name, title: help },
      make("span", { "aria-hidden": "true" }, sign), " ", label);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") model.send({ do: name });
    });
    buttons.append(button);
  }
  const account = make("div", { class: "vnq-account", "aria-label": "Account in VND", role: "group" });
  const element = make("header", {},
    make("div", { class: "vnq-line" },
      pill, make("div", { class: "vnq-words" }, since, why),
      make("div", { class: "vnq-clock", role: "group", "aria-label": "Market clock" },
        day, time, make("small", {}, "ICT"), pace, phase)),
    make("div", { class: "vnq-line" }, buttons, account));

  const parts = {
    control() {
      const { state: name = "new", since: from = "", why: reason = "", enabled = [] } = model.get("control");
      pill.dataset.state = name;
      mark.textContent = STATE_MARKS[name] ?? "·";
      state.textContent = name;
      since.textContent = from;
      why.textContent = reason;
      // aria-disabled keeps the focus where it is, where disabled would throw a keyboard user out.
      for (const button of buttons.children) {
        button.setAttribute("aria-disabled", String(!enabled.includes(button.dataset.do)));
      }
    },
    clock() {
      const clock = model.get("clock");
      time.textContent = clock.time ?? "";
      day.textContent = clock.day ?? "";
      pace.textContent = clock.pace ?? "";
      phase.textContent = clock.phase ?? "";
    },
    account() {
      account.innerHTML = model.get("account");
    },
  };
  return [element, parts];
}

function alertLine(model) {
  const text = make("span");
  const dismiss = make("button", { type: "button", "aria-label": "Dismiss the error" }, "✕");
  dismiss.addEventListener("click", () => model.send({ do: "dismiss" }));
  const element = make("div", { class: "vnq-alert", role: "alert" },
    make("b", { "aria-hidden": "true" }, "✕"), text, dismiss);
  return [element, {
    alert() {
      text.textContent = model.get("alert");
      element.hidden = !model.get("alert");
    },
  }];
}

function section(model, name, id) {
  const title = make("h3", { id: `${id}-${name}` }, model.get("titles")[name] ?? name);
  const note = make("span", { class: "vnq-note" });
  const body = make("div", {
    class: "vnq-body", tabindex: "0", role: "region", "aria-labelledby": title.id,
  });
  const head = make("div", { class: "vnq-head" }, title, note);
  const element = make("section", { class: "vnq-section", "data-name": name }, head, body);
  return [element, head, {
    [name]() {
      const shown = model.get(name);
      // Rows come in on top: who has scrolled down goes on reading the same ones.
      const below = body.scrollTop > 0 ? body.scrollHeight - body.scrollTop : null;
      note.textContent = shown.note ?? "";
      body.innerHTML = shown.html ?? "";
      if (below !== null) body.scrollTop = body.scrollHeight - below;
    },
  }];
}

function feedFilter(model, head) {
  const group = make("select", { "aria-label": "Events shown" },
    ...GROUPS.map(([value, label]) => make("option", { value }, label)));
  const words = make("input", {
    type: "search", placeholder: "Filter, e.g. FPT", "aria-label": "Words that an event must hold",
  });
  let timer;
  const send = () => model.send({ do: "filter", group: group.value, words: words.value });
  group.addEventListener("change", send);
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(send, TYPING_MS);
  });
  head.append(group, words);
  return {
    filter() {
      const filter = model.get("filter");
      group.value = filter.group ?? "";
      // Not under the fingers of who types: the kernel answers a moment later.
      if (document.activeElement !== words) words.value = filter.words ?? "";
    },
  };
}

let views = 0;

function render({ model, el }) {
  const id = `vnq-${(views += 1)}`;
  const [top, topParts] = header(model);
  const [alerting, alertParts] = alertLine(model);
  const grid = make("div", { class: "vnq-grid" });
  const parts = { ...topParts, ...alertParts };
  for (const names of COLUMNS) {
    const column = make("div", { class: "vnq-column" });
    for (const name of names) {
      const [element, head, sectionParts] = section(model, name, id);
      if (name === "feed") Object.assign(parts, feedFilter(model, head));
      Object.assign(parts, sectionParts);
      column.append(element);
    }
    grid.append(column);
  }
  // The notebook's own shortcuts would take Enter and the letters that are typed here.
  el.append(make("div", {
    class: "vnq-panel", "data-lm-suppress-shortcuts": "true", role: "region", "aria-label": "Control panel",
  }, top, alerting, grid));

  const listeners = Object.entries(parts).map(([name, draw]) => {
    draw();
    model.on(`change:${name}`, draw);
    return [`change:${name}`, draw];
  });
  return () => listeners.forEach(([event, draw]) => model.off(event, draw));
}

export default { render };
