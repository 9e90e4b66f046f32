"""A running lab as others see it: what there is to see, and the page that shows it."""
