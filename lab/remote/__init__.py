"""The lab on other machines, over SSH by Fabric: a class of them at once, each by itself."""
