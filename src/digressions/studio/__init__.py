"""The studio: the digressions in a web page, for people who do not type commands.

A door like the command line: it parses and shows, and the work is done by the use cases below it.

| module            | what lives there                                                            |
| ----------------- | --------------------------------------------------------------------------- |
| `studio_spec`     | the parameters of ``digress studio``                                        |
| `jobs`            | the queue: one job at a time, fair among pages, what a killed studio left   |
| `studio`          | `Studio`: the queue, the loaded model, and where files go                   |
| `forms`           | fields out of declared parameters, values back, errors at their fields, URL |
| `givens`          | fields that no parameter declares, and errors at them                       |
| `folds`           | the folds that fields are in: one opens where something in it is wrong      |
| `brushing`        | a brush over a picture, and the mask that is painted with it                |
| `studio_job`      | one job: what was asked for, and how far it is                              |
| `kept_jobs`       | what jobs were asked, in files that outlive a killed studio                 |
| `queue_panel`     | the queue in the page, and for programs                                     |
| `live`            | the panel that shows a job while it works: progress, preview, cancel        |
| `sending`         | a finished picture goes to a field of another tab                           |
| `tabs`            | a module a tab                                                              |
| `starting_points` | settings to start from, in a row at the head of a tab                       |
| `addresses`       | the address of a page fills in a tab, and says what its fields do           |
| `strangers`       | a studio on the web: what strangers may ask for, and how long it is kept    |
| `blocks`          | the tabs put together into one page                                         |
| `looks`           | colours, style sheet, and the script of the page                            |
| `gradio_import`   | Gradio imported sooner                                                      |
| `studio_server`   | the page over HTTP: a first page at once, who may ask, which files          |

How to add a tab
----------------
1. Write ``tabs/NAME_tab.py`` with one function ``build(studio, shared) -> TabParts``, and name it
   in `tabs.TABS`. Nothing else in the package names a tab.
2. Say how its work is done: ``studio.jobs.learn("NAME", work)``, where ``work(settings)`` is a
   generator of events, that is, a use case called with ``studio.out`` as its folder; one that needs
   the model says ``yield from studio.model(settings["model"])`` first and then uses ``studio.now``.
   Settings are plain values that JSON can keep.
3. Make the form: ``form = Form(Spec, "NAME")``, then within Gradio's rows and columns
   ``form.add("prompt", ...)`` for single fields and ``form.add_groups(Sampling="Noise levels")``
   for the others by their groups. Labels, ranges, choices and help come from the declarations.
   What a job is about besides, such as a photo, is a field of your own: ``Givens(photo=photo)``.
4. Make the panel: ``live = Live(studio, "NAME", form, "Verb")``, or with ``Forms(givens, form)``;
   it has the button that begins, the one that cancels, the progress, the preview and the results.
5. Wire it: ``live.begins(shared, settings_of, title_of, inputs)``, once for each button, and
   ``live.follows(shared)`` after the last. ``settings_of(values)`` validates: what it raises is
   shown at its field. It runs in a thread, so it may read a file.
6. Name its actions: ``endpoint(studio, "NAME", form, settings_of, title_of, does=...)`` makes one
   for programs and for MCP, described by the declarations.
7. Give back `TabParts`: its id, its form for the URL, fields that a starting point fills in
   besides (``besides``), what it takes from other tabs (``accepts``: `takes_picture`) and what it
   sends (``offers``: an `Offer` with `send_menu`). Starting points of the tab go into
   `starting_points.POINTS`, and their pictures are made by ``python -m docs.make_starts``.
8. Events of your own are `endpoints.PRIVATE`; handlers are quick, and whatever takes longer than a
   blink is a job. Only use cases write files.
9. Test it in ``tests/test_studio_NAME.py`` with `tests.studios`: by ``gradio_client``, and its main
   path in Chromium; then look at it in light, dark and 390 px wide (``docs/make_studio.py``).
"""
