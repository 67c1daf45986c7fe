"""What holds for every test: a machine that is busy is no failure of the code, so hypothesis watches no clock."""

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
