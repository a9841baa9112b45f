// The front end of vnquant.ui.presence: nothing to see, it only tells the kernel that somebody looks.

const HERE_MS = 20000;

function render({ model }) {
  const view = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const speak = (kind) => {
    try {
      model.send({ kind, view });
    } catch {
      // The connection has gone before the view, as when a notebook is closed: the kernel will miss us.
    }
  };
  const bye = () => speak("bye");
  speak("hello");
  const here = setInterval(() => speak("here"), HERE_MS);
  // A page that is loaded anew, or whose tab is closed, ends without taking its views down.
  window.addEventListener("pagehide", bye);
  return () => {
    clearInterval(here);
    window.removeEventListener("pagehide", bye);
    bye();
  };
}

export default { render };
