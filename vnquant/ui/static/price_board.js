// The front end of vnquant.ui.price_board: a table whose cells are kept, and touched only when they change.
// How numbers are written, sorted and filtered is the same as in board_rows.py; a test compares the two.

const FLASH_MS = 450;
const SORT_AGAIN_MS = 1000; // rows that jump more often cannot be read
const SILENT_MS = 6000; // the kernel says something at least every two seconds
const HERE_MS = 20000;
const ABSENT_TEXT = { "-1": "", "-2": "ATO", "-3": "ATC" };
const UNKNOWN = 0, STALE = 2;

const FLASHES = ["vnq-rose", "vnq-fell", "vnq-moved"];

// -- numbers and texts ------------------------------------------------------------------------------------

function grouped(whole) {
  let text = String(whole), done = "";
  while (text.length > 3) {
    done = "," + text.slice(-3) + done;
    text = text.slice(0, -3);
  }
  return text + done;
}

function thousands(vnd) {
  const rest = vnd % 10, hundredths = (vnd - rest) / 10;
  const text = grouped(Math.floor(hundredths / 100)) + "." + String(hundredths % 100).padStart(2, "0");
  return rest ? text + rest : text;
}

const tens = (shares) => grouped(Math.floor(shares / 10 + 0.5));
const signOf = (number) => (number < 0 ? "-" : number > 0 ? "+" : "");

function stateOf(price, reference, ceiling, floor) {
  if (price < 0 || reference < 0) return "";
  if (price >= ceiling) return "ceiling";
  if (price <= floor) return "floor";
  if (price === reference) return "reference";
  return price > reference ? "up" : "down";
}

/** More volume is neither good nor bad, so that only prices flash green or red. */
function flashOf(column, step) {
  const directed = column.kind === "price" || column.kind === "change" || column.kind === "percent";
  return !directed || !step ? "vnq-moved" : step > 0 ? "vnq-rose" : "vnq-fell";
}

// Typed arrays want aligned memory, which the view of a message need not be.
const copied = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

// -- the numbers of the board -----------------------------------------------------------------------------

class Book {
  constructor(count, fields) {
    this.price = Object.fromEntries(fields.prices.map((name, place) => [name, place]));
    this.volume = Object.fromEntries(fields.volumes.map((name, place) => [name, place]));
    this.pricesWide = fields.prices.length;
    this.volumesWide = fields.volumes.length;
    this.prices = new Int32Array(count * this.pricesWide).fill(-1);
    this.volumes = new Float64Array(count * this.volumesWide).fill(NaN);
    this.freshness = new Uint8Array(count);
  }

  /** Take a frame over, and return its rows. */
  take(buffers) {
    const rows = new Uint16Array(copied(buffers[0]));
    const freshness = new Uint8Array(copied(buffers[1]));
    const prices = new Int32Array(copied(buffers[2]));
    const volumes = new Float64Array(copied(buffers[3]));
    rows.forEach((row, place) => {
      const p = place * this.pricesWide, v = place * this.volumesWide;
      this.prices.set(prices.subarray(p, p + this.pricesWide), row * this.pricesWide);
      this.volumes.set(volumes.subarray(v, v + this.volumesWide), row * this.volumesWide);
      this.freshness[row] = freshness[place];
    });
    return rows;
  }

  priceOf(row, name) {
    return this.prices[row * this.pricesWide + this.price[name]];
  }

  volumeOf(row, name) {
    return this.volumes[row * this.volumesWide + this.volume[name]];
  }

  stateOf(row, name) {
    return stateOf(
      this.priceOf(row, name), this.priceOf(row, "reference_price"),
      this.priceOf(row, "ceiling_price"), this.priceOf(row, "floor_price"),
    );
  }

  /** What a column is sorted by; NaN where there is none. */
  number(row, column) {
    const reference = this.priceOf(row, "reference_price"), last = this.priceOf(row, "last_price");
    const matched = reference >= 0 && last >= 0;
    switch (column.kind) {
      case "price": {
        const price = this.priceOf(row, column.value);
        return price < 0 ? NaN : price;
      }
      case "change": return matched ? last - reference : NaN;
      case "percent": return matched ? (last - reference) / reference : NaN;
      case "net": return this.volumeOf(row, "foreign_buy_volume") - this.volumeOf(row, "foreign_sell_volume");
      case "volume": return this.volumeOf(row, column.value);
      default: return NaN;
    }
  }

  text(row, column, number, signs) {
    switch (column.kind) {
      case "price": {
        const price = this.priceOf(row, column.value);
        return price < 0 ? ABSENT_TEXT[price] : thousands(price);
      }
      case "change": {
        const state = this.stateOf(row, "last_price");
        return state ? `${signs[state].sign} ${thousands(Math.abs(number))}` : "";
      }
      case "percent": {
        const state = this.stateOf(row, "last_price");
        if (!state) return "";
        const reference = this.priceOf(row, "reference_price");
        const change = this.priceOf(row, "last_price") - reference;
        const hundredths = Math.floor((Math.abs(change) * 10000) / reference + 0.5);
        return signOf(change) + Math.floor(hundredths / 100) + "." + String(hundredths % 100).padStart(2, "0");
      }
      case "net": return Number.isNaN(number) ? "" : signOf(number) + tens(Math.abs(number));
      default: return number > 0 ? tens(number) : "";
    }
  }
}

// -- the view ---------------------------------------------------------------------------------------------

class Board {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.name = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.words = model.get("words");
    this.columns = this.words.columns;
    this.symbols = model.get("symbols");
    this.book = new Book(this.symbols.length, model.get("layout_fields"));
    this.dirty = new Set();
    this.flashes = new Map(); // cell -> when its flash ends
    this.order = this.symbols.map((_, row) => row);
    this.shown = this.symbols.map(() => true);
    this.header = null;
    this.number = null; // of the last frame
    this.heardAt = performance.now();
    this.sortedAt = 0;
    this.frameRequest = 0;
    this.stopped = new AbortController();
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.build();
    this.relabel();
    this.arrange();
  }

  /** Tell the kernel that this view looks, or no longer does. */
  speak(kind) {
    try {
      this.model.send({ kind, view: this.name });
    } catch {
      // The connection has gone before the view, as when a notebook is closed: the kernel will miss us.
    }
  }

  say(key, fields = {}) {
    const text = this.words.texts[key][this.model.get("language")];
    return text.replace(/\{(\w+)\}/g, (_, name) => fields[name]);
  }

  // -- made once ------------------------------------------------------------------------------------------

  build() {
    const { root } = this;
    root.classList.add("vnq-board");
    root.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes the arrow keys
    root.setAttribute("role", "group");
    root.append(this.buildTools(), this.buildStatus(), this.buildTable(), this.buildLegend());
  }

  buildTools() {
    const tools = element("div", "vnq-tools");
    this.labels = {};
    const labelled = (key, control) => {
      const label = element("label", "vnq-control");
      this.labels[key] = element("span");
      label.append(this.labels[key], control);
      tools.append(label);
      return control;
    };
    this.search = labelled("search", element("input"));
    this.search.type = "search";
    this.search.spellcheck = false;
    this.listen(this.search, "input", () => this.choose("typed", this.search.value));
    const options = (field) => [...new Set(this.symbols.map((symbol) => symbol[field]))];
    const select = (key, values) => {
      const made = labelled(key, element("select"));
      made.append(new Option("", ""), ...values.map((value) => new Option(value, value)));
      this.listen(made, "change", () => this.choose(key, made.value));
      return made;
    };
    this.exchange = select("exchange", options("exchange"));
    this.sector = select("sector", options("sector").sort());
    this.count = element("span", "vnq-count");
    this.count.setAttribute("role", "status");
    const switches = element("div", "vnq-switches");
    this.languages = element("span", "vnq-languages");
    this.languages.setAttribute("role", "group");
    for (const [language, name] of [["vi", "VI"], ["en", "EN"]]) {
      const button = element("button", "", name);
      button.type = "button";
      button.lang = language;
      button.title = { vi: "Tiếng Việt", en: "English" }[language];
      button.setAttribute("aria-label", button.title);
      button.dataset.language = language;
      this.listen(button, "click", () => this.choose("language", language));
      this.languages.append(button);
    }
    this.look = element("button", "vnq-look");
    this.look.type = "button";
    this.listen(this.look, "click", () =>
      this.choose("look", this.model.get("look") === "dark" ? "auto" : "dark"));
    switches.append(this.look, this.languages);
    tools.append(this.count, switches);
    return tools;
  }

  buildStatus() {
    const status = element("div", "vnq-status");
    this.condition = element("span", "vnq-condition");
    this.condition.setAttribute("role", "status");
    this.time = element("span", "vnq-time");
    this.phases = element("span", "vnq-phases");
    this.breadth = element("span", "vnq-breadth");
    this.note = element("div", "vnq-note");
    status.append(this.condition, this.time, this.phases, this.breadth, this.note);
    return status;
  }

  buildTable() {
    this.scroller = element("div", "vnq-scroller");
    this.scroller.tabIndex = 0; // so that the arrow keys scroll it
    this.scroller.setAttribute("role", "region");
    const table = element("table");
    const widths = element("colgroup");
    for (const { width } of this.columns) {
      const col = element("col");
      col.style.width = `${width}px`;
      widths.append(col);
    }
    table.style.width = `${this.columns.reduce((sum, column) => sum + column.width, 0)}px`;
    this.body = element("tbody");
    table.append(widths, this.buildHead(), this.body);
    this.rows = this.symbols.map((symbol) => this.buildRow(symbol));
    this.body.append(...this.rows.map((row) => row.line));
    this.empty = element("div", "vnq-empty");
    this.scroller.append(table, this.empty);
    return this.scroller;
  }

  buildHead() {
    const head = element("thead"), groupLine = element("tr"), line = element("tr");
    this.groupHeads = [];
    this.heads = this.columns.map((column, place) => {
      const before = this.columns[place - 1];
      if (!before || before.group !== column.group) {
        const group = element(place ? "th" : "td", `vnq-group vnq-in-${column.group}`);
        group.colSpan = this.columns.filter((other) => other.group === column.group).length;
        if (place) group.scope = "colgroup";
        this.groupHeads.push([column.group, group]);
        groupLine.append(group);
      }
      const th = element("th", this.cellClass(column, place));
      th.scope = "col";
      th.dataset.key = column.key;
      const button = element("button");
      button.type = "button";
      button.tabIndex = place ? -1 : 0; // one tab stop for all headings; arrow keys move on
      this.listen(button, "click", () => this.sortBy(column));
      this.listen(button, "keydown", (event) => this.moveFocus(event, place));
      this.listen(button, "focus", () => this.heads.forEach(({ button: b }, at) => (b.tabIndex = at === place ? 0 : -1)));
      button.append(element("span"), element("i"));
      button.lastChild.setAttribute("aria-hidden", "true");
      th.append(button);
      line.append(th);
      return { th, button };
    });
    head.append(groupLine, line);
    return head;
  }

  buildRow(symbol) {
    const line = element("tr");
    line.dataset.symbol = symbol.ticker;
    const cells = this.columns.map((column, place) => {
      const cell = element(place ? "td" : "th", this.cellClass(column, place));
      cell.dataset.key = column.key;
      cell.append(document.createTextNode(place ? "" : symbol.ticker));
      line.append(cell);
      return { cell, node: cell.firstChild, text: cell.textContent, state: "", number: NaN };
    });
    cells[0].cell.scope = "row";
    cells[0].cell.title = `${symbol.company}\n${symbol.exchange} · ${symbol.sector}`;
    return { line, cells, isKnown: false };
  }

  cellClass(column, place) {
    const before = this.columns[place - 1];
    const first = before && before.group !== column.group ? " vnq-first" : "";
    return `vnq-${column.kind} vnq-in-${column.group}${first}`;
  }

  buildLegend() {
    this.legend = element("div", "vnq-legend");
    return this.legend;
  }

  listen(target, type, listener) {
    target.addEventListener(type, listener, { signal: this.stopped.signal });
  }

  // -- what a person chooses ------------------------------------------------------------------------------

  choose(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** First click: large to small (symbols from A); second: the other way; third: the universe's order. */
  sortBy(column) {
    const descendingFirst = column.kind !== "symbol";
    const active = this.model.get("sort_by") === column.key;
    const turned = active && this.model.get("descending") !== descendingFirst;
    this.model.set("sort_by", turned ? "" : column.key);
    this.model.set("descending", active && !turned ? !descendingFirst : descendingFirst);
    this.model.save_changes();
  }

  moveFocus(event, place) {
    const last = this.heads.length - 1;
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: last }[event.key];
    if (next === undefined || next < 0 || next > last) return;
    event.preventDefault();
    this.heads[next].button.focus();
  }

  // -- labels and order -----------------------------------------------------------------------------------

  relabel() {
    const language = this.model.get("language");
    const { root } = this;
    root.lang = language;
    root.setAttribute("aria-label", this.say("title"));
    this.scroller.setAttribute("aria-label", `${this.say("title")}. ${this.say("sort_hint")}`);
    for (const key of ["search", "exchange", "sector"]) this.labels[key].textContent = this.say(key);
    this.search.placeholder = this.say("search_hint");
    for (const select of [this.exchange, this.sector]) select.options[0].text = this.say("all");
    this.languages.setAttribute("aria-label", this.say("language"));
    for (const button of this.languages.children)
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    this.look.textContent = this.say("look");
    for (const [group, head] of this.groupHeads) head.textContent = this.words.groups[group][language];
    this.heads.forEach(({ button }, place) => {
      const { heading, told } = this.columns[place];
      button.firstChild.textContent = heading[language];
      button.title = `${told[language][0].toUpperCase()}${told[language].slice(1)}. ${this.say("sort_hint")}`;
      button.setAttribute("aria-label", told[language]);
    });
    this.legend.replaceChildren();
    for (const [state, { sign, text }] of Object.entries(this.words.states))
      this.legend.append(element("span", `vnq-is-${state}`, `${sign} ${text[language]}`));
    this.legend.append(element("span", "vnq-units", this.say("units")));
    this.showHeader();
  }

  arrange() {
    const get = (name) => this.model.get(name);
    this.search.value = get("typed");
    this.exchange.value = get("exchange");
    this.sector.value = get("sector");
    this.root.classList.toggle("vnq-dark", get("look") === "dark");
    this.look.setAttribute("aria-pressed", String(get("look") === "dark"));
    const starts = get("typed").toUpperCase().match(/[A-Z0-9]+/g) || [];
    let count = 0;
    this.symbols.forEach((symbol, row) => {
      const shown = (!get("exchange") || symbol.exchange === get("exchange"))
        && (!get("sector") || symbol.sector === get("sector"))
        && (!starts.length || starts.some((start) => symbol.ticker.startsWith(start)));
      count += shown;
      if (shown !== this.shown[row]) this.rows[row].line.hidden = !(this.shown[row] = shown);
    });
    this.count.textContent = this.say("shown", { shown: count, all: this.symbols.length });
    this.empty.textContent = count ? "" : this.say("none");
    this.heads.forEach(({ th, button }, place) => {
      const active = this.columns[place].key === get("sort_by");
      th.setAttribute("aria-sort", !active ? "none" : get("descending") ? "descending" : "ascending");
      button.lastChild.textContent = !active ? "" : get("descending") ? "↓" : "↑";
    });
    this.sort();
  }

  sort() {
    this.sortedAt = performance.now();
    const key = this.model.get("sort_by"), descending = this.model.get("descending");
    const place = this.columns.findIndex((column) => column.key === key);
    const order = this.symbols.map((_, row) => row);
    const sign = descending ? -1 : 1;
    if (place === 0) {
      const name = (row) => this.symbols[row].ticker;
      order.sort((a, b) => (name(a) < name(b) ? -sign : name(a) > name(b) ? sign : 0));
    } else if (place > 0) {
      const number = (row) => this.rows[row].cells[place].number;
      order.sort((a, b) => {
        const x = number(a), y = number(b);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
        return sign * (x - y) || a - b;
      });
    }
    if (order.some((row, at) => row !== this.order[at])) {
      this.order = order;
      this.body.append(...order.map((row) => this.rows[row].line));
    }
  }

  // -- what the kernel says -------------------------------------------------------------------------------

  hear(content, buffers) {
    if (content.kind !== "frame") return;
    this.heardAt = performance.now();
    // Until the answer to its own hello a view knows too little to show what changes.
    if (!content.full && this.number === null) return;
    if (!content.full && content.number !== this.number + 1) {
      this.speak("hello"); // a frame was lost on the way
    }
    this.number = content.number;
    this.take(content, buffers);
  }

  take(header, buffers) {
    this.header = header;
    for (const row of this.book.take(buffers)) this.dirty.add(row);
    if (!this.frameRequest) this.frameRequest = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frameRequest = 0;
    const moves = this.dirty.size > 0;
    for (const row of this.dirty) this.paintRow(row);
    this.dirty.clear();
    this.showHeader();
    if (moves && this.model.get("sort_by")) this.sortSoon();
  }

  paintRow(row) {
    const { book, columns } = this, { line, cells, isKnown } = this.rows[row];
    const flash = isKnown && !this.calm.matches && !document.hidden;
    columns.forEach((column, place) => {
      const kept = cells[place];
      const state = column.tint ? book.stateOf(row, column.tint) : "";
      if (state !== kept.state) {
        if (kept.state) kept.cell.classList.remove(`vnq-is-${kept.state}`);
        if (state) kept.cell.classList.add(`vnq-is-${state}`);
        kept.state = state;
      }
      if (!place) return;
      const number = book.number(row, column);
      const text = book.text(row, column, number, this.words.states);
      if (text !== kept.text) {
        kept.node.data = kept.text = text;
        if (flash && column.group !== "band") this.flash(kept.cell, flashOf(column, number - kept.number));
      }
      kept.number = number;
    });
    const freshness = book.freshness[row];
    this.rows[row].isKnown = freshness !== UNKNOWN;
    line.classList.toggle("vnq-stale", freshness === STALE);
  }

  flash(cell, kind) {
    cell.classList.remove(...FLASHES);
    cell.classList.add(kind);
    if (!this.flashes.size) this.sweeper = setTimeout(() => this.sweep(), FLASH_MS / 3);
    this.flashes.set(cell, performance.now() + FLASH_MS);
  }

  sweep() {
    const now = performance.now();
    for (const [cell, until] of this.flashes) {
      if (until > now) continue;
      cell.classList.remove(...FLASHES);
      this.flashes.delete(cell);
    }
    if (this.flashes.size) this.sweeper = setTimeout(() => this.sweep(), FLASH_MS / 3);
  }

  sortSoon() {
    const wait = this.sortedAt + SORT_AGAIN_MS - performance.now();
    if (wait <= 0) this.sort();
    else this.sortTimer ??= setTimeout(() => { this.sortTimer = undefined; this.sort(); }, wait);
  }

  // -- the status line ------------------------------------------------------------------------------------

  /** Write a text only where it differs: each change of the page costs, and screen readers repeat it. */
  write(target, text) {
    if (target.textContent !== text) target.textContent = text;
  }

  showHeader() {
    const { header, words } = this, language = this.model.get("language");
    const silentS = Math.round((performance.now() - this.heardAt) / 1000);
    const ended = header?.condition === "closed";
    const silent = !ended && silentS * 1000 > SILENT_MS;
    const condition = silent ? "silent" : header?.condition ?? "waiting";
    this.root.dataset.condition = condition;
    this.write(this.condition, words.conditions[condition][language]);
    this.write(this.note, silent ? this.say("silent", { seconds: silentS }) : header?.note[language] ?? "");
    if (!header) return;
    const [date, clock] = header.time.split(" ");
    this.write(this.time, `${clock} · ${date.split("-").reverse().join("/")}`);
    const phases = Object.entries(header.phases);
    const alike = phases.every(([, phase]) => phase === phases[0][1]);
    const shown = alike ? [[phases.map(([name]) => name).join(", "), phases[0][1]]] : phases;
    this.write(this.phases, shown.map(([name, phase]) => `${name} ${words.phases[phase][language]}`).join(" · "));
    this.showBreadth(header.breadth, language);
  }

  showBreadth(breadth, language) {
    const key = language + JSON.stringify(breadth);
    if (key === this.breadthShown) return;
    this.breadthShown = key;
    const chips = Object.entries(this.words.states).map(([state, { sign, text }]) => {
      const chip = element("span", `vnq-is-${state}`, `${sign} ${breadth[state]}`);
      chip.title = text[language];
      chip.setAttribute("aria-label", `${breadth[state]} ${text[language]}`);
      chip.setAttribute("role", "img");
      return chip;
    });
    if (breadth.unmatched) chips.push(element("span", "", `${breadth.unmatched} ${this.say("unmatched")}`));
    this.breadth.replaceChildren(...chips);
  }

  stop() {
    this.stopped.abort();
    cancelAnimationFrame(this.frameRequest);
    clearTimeout(this.sweeper);
    clearTimeout(this.sortTimer);
  }
}

function render({ model, el }) {
  const root = element("div");
  el.append(root);
  const board = new Board(model, root);
  const last = model.get("last_frame");
  if (last?.buffers) board.take(last, last.buffers);
  const hear = (content, buffers) => board.hear(content, buffers);
  const relabel = () => { board.relabel(); board.arrange(); };
  const arrange = () => board.arrange();
  const CHOICES = "change:sort_by change:descending change:exchange change:sector change:typed change:look";
  model.on("msg:custom", hear);
  model.on("change:language", relabel);
  model.on(CHOICES, arrange);
  const ticking = setInterval(() => board.showHeader(), 1000);
  const here = setInterval(() => board.speak("here"), HERE_MS);
  const bye = () => board.speak("bye");
  // A page that is loaded anew, or whose tab is closed, ends without taking its views down.
  window.addEventListener("pagehide", bye);
  board.speak("hello");
  return () => {
    clearInterval(ticking);
    clearInterval(here);
    window.removeEventListener("pagehide", bye);
    model.off("msg:custom", hear);
    model.off("change:language", relabel);
    model.off(CHOICES, arrange);
    board.stop();
    bye();
  };
}

export default { render };
