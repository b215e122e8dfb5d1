# Every target does its own set-up; a second run of it costs next to nothing.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# Byte code on the disk halves the time that vLLM and the commands take to start; some machines switch it off.
export PYTHONDONTWRITEBYTECODE :=
PY := .venv/bin/python
LOOP := .venv/bin/loop
QUESTION ?= What time do you open on Sunday?

.PHONY: help setup up demo test test-round lint format check docs schemas lock clean bench bench-gateway bench-plan bench-decisions bench-rollback bench-faults bench-signals bench-privacy bench-curate bench-train

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: ## build .venv from the locked requirement files, and fetch the shipped model and data
	@bash requirements/install.sh .venv core serve-cpu train data signals spark console privacy dev
	@$(PY) -m dvc pull --quiet || $(PY) -m dvc pull   # the second says why

up: ## start engine, gateway and reconciler, bring them to what loop.yaml says, ask a question; Ctrl-C stops all
	@bash requirements/install.sh .venv core serve-cpu data console
	@exec $(LOOP) up --ask "$(QUESTION)"

demo: ## a quarter in minutes: votes, training, gates, canary, a bad version caught, a revert, drift; DEMO=--help
	@bash requirements/install.sh .venv core serve-cpu train data signals privacy console
	@exec $(PY) -m runner.demo $(DEMO)

test: setup ## run every test: three processes for those that stand alone, then one for those with the real vLLM
	@$(PY) -m pytest -m "not engine" --numprocesses 3 --dist loadfile --no-loadscope-reorder
	@$(PY) -m pytest -m "engine and not round"

test-round: setup ## the whole way by the workflows: votes, data, a trained version, its gates, a pull request, the canary
	@$(PY) -m pytest -m round

lint: setup ## style, types, architecture, workflows, and the freshness of generated files
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/actionlint
	@.venv/bin/zizmor --quiet --offline .github/workflows
	@$(LOOP) schema --check
	@$(LOOP) validate

format: setup ## rewrite the code in the project's style
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

check: lint test ## what continuous integration runs

docs: setup ## regenerate schemas and the reference from types and commands
	@$(LOOP) schema --write

bench: bench-gateway bench-plan bench-decisions bench-rollback bench-faults bench-signals bench-privacy bench-curate bench-train ## every benchmark

bench-gateway: setup ## the gateway and LiteLLM's proxy side by side before the same upstream
	@bash requirements/install.sh .venv-bench bench
	@$(PY) -m benchmarks.gateway.run

bench-plan: setup ## observe and plan at scale, and recovery of a killed engine
	@$(PY) -m benchmarks.plan.run

bench-decisions: setup ## false rollbacks and delays in simulated worlds, beside other rules on the same traffic
	@$(PY) -m benchmarks.decisions.run

bench-rollback: setup ## rollbacks under load on two gateways, also with Git or the engine out of reach
	@$(PY) -m benchmarks.rollback.run

bench-faults: setup ## every fault of a rollback: what was lost, and how long until Git, live and status agreed
	@$(PY) -m benchmarks.faults.run

bench-signals: setup ## every detector on labelled data beside its baseline, and ten million events in one pass
	@$(PY) -m benchmarks.signals.run

bench-privacy: setup ## masking of personal data beside Presidio without a model and the gateway alone
	@OMP_NUM_THREADS=1 $(PY) -m benchmarks.privacy.run

bench-curate: setup ## a million events to a checked snapshot: seconds and memory by step, beside pandas
	@$(PY) -m benchmarks.curate.run

bench-train: setup ## from 300 votes to a better version and the next one, and three bad ones stopped; TRL alone beside it
	@$(PY) -m benchmarks.train.run

lock: ## resolve requirements/*.in again into locked files
	@bash requirements/lock.sh

clean: ## stop nothing, remove environments, caches and local state
	@rm -rf .venv .venv-uv .venv-bench .loop .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .cache
