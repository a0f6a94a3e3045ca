"""How the page looks: colours in light and dark, one style sheet, one small script.

Nothing comes from elsewhere: letters are those of the system.
"""

from __future__ import annotations

import gradio as gr

_SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The theme."""
    teal = gr.themes.Color(
        *("#effcf9", "#d3f6ee", "#a6ecdf", "#70dccb", "#3cc4b3", "#1fa897", "#14877b", "#126c63"),
        *("#125650", "#124743", "#062b29"),
    )
    stone = gr.themes.Color(
        *("#faf9f7", "#f3f1ed", "#e7e3dc", "#d5cfc5", "#a8a197", "#7c756c", "#5b554e", "#443f3a"),
        *("#2a2724", "#1b1917", "#110f0e"),
    )
    return gr.themes.Base(
        primary_hue=teal,
        secondary_hue=teal,
        neutral_hue=stone,
        radius_size="md",
        spacing_size="md",
        text_size="md",
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="600",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_info_text_size="*text_xs",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="*neutral_200",
        button_secondary_background_fill_hover="*neutral_300",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        input_border_width="1px",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        panel_background_fill="transparent",
        panel_background_fill_dark="transparent",
    )
