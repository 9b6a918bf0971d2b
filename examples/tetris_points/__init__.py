"""The eight pieces of Tetris as four points each, known again in any orientation.

Reading order: data, models, figures, __main__.
"""
