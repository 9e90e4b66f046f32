"""Lessons: what a student is to show, and how that is judged; one module a lesson."""
