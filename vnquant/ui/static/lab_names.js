// Gives the sliders of a lab the names that stand beside them: ipywidgets leaves their handles without one,
// and a screen reader would say nothing but "slider, 20".
function render({ model, el }) {
  el.style.display = "none";
  const nameAll = () => {
    const sliders = el.closest(".vnq-lab")?.querySelectorAll(".widget-slider") ?? [];
    let named = 0;
    for (const slider of sliders) {
      const label = slider.querySelector(".widget-label");
      const handle = slider.querySelector(".noUi-handle");
      if (!label || !handle) continue;
      handle.setAttribute("aria-label", label.textContent);
      handle.setAttribute("aria-description", label.title);
      const readout = slider.querySelector(".widget-readout");
      readout?.setAttribute("role", "textbox");
      readout?.setAttribute("aria-label", `${label.textContent}, typed`);
      named += 1;
    }
    if (named >= model.get("count")) clearInterval(timer);
  };
  // The sliders are drawn some time before or after this, each in its own time.
  const timer = setInterval(nameAll, 100);
  return () => clearInterval(timer);
}
export default { render };
