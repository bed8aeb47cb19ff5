"use strict";
// Follows Airflow's light or dark, which Airflow keeps under "theme"; without it, the system's.
(function () {
  const root = document.documentElement;
  function follow() {
    let chosen = null;
    try {
      chosen = window.localStorage.getItem("theme");
    } catch (error) {
      // no storage: the system's choice stands
    }
    if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
    else delete root.dataset.theme;
  }
  follow();
  window.addEventListener("storage", follow);

  document.addEventListener("change", function (event) {
    const box = event.target;
    if (box.matches("[data-all]")) {
      document.querySelectorAll("input[name=id]").forEach(function (one) { one.checked = box.checked; });
    }
    if (box.matches("input[name=id], [data-all]")) {
      const chosen = document.querySelectorAll("input[name=id]:checked").length;
      document.querySelectorAll("[data-chosen]").forEach(function (place) {
        place.textContent = chosen + " chosen";
      });
    }
    if (box.matches("[data-submit]")) box.form.requestSubmit();
  });
})();
