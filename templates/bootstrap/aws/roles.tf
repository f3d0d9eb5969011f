locals {
  issuer   = "token.actions.githubusercontent.com"
  owner    = split("/", var.manager)[0]
  name     = split("/", var.manager)[1]
  provider = var.create_oidc_provider ? aws_iam_openid_connect_provider.github[0].arn : "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:oidc-provider/${local.issuer}"

  # Both spellings of a subject; `tenantry doctor trust` says why.
  subjects = [
    "repo:${var.manager}",
    "repo:${local.owner}@${var.manager_owner_id}/${local.name}@${var.manager_repository_id}",
  ]

  # One role to plan and one to apply, for each environment of each customer.
  roles = merge([
    for id, customer in var.customers : merge([
      for environment in customer.environments : {
        for job in ["plan", "apply"] : "${id}/${environment}/${job}" => {
          customer    = id
          environment = environment
          job         = job
          policies    = job == "plan" ? customer.plan_policies : customer.apply_policies
        }
      }
    ]...)
  ]...)

  store = "${aws_s3_bucket.store.arn}/${var.store_prefix}"
  audit = "${aws_s3_bucket.audit.arn}/${var.store_prefix}/audit"
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.create_oidc_provider ? 1 : 0
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for subject in local.subjects : "${subject}:environment:[[ "${each.value.customer}/" if own_environments else "" ]]${each.value.environment}-${each.value.job}"]
    }
  }
}

# What a job of one customer may touch of the store: that customer's part, and the end of the log.
data "aws_iam_policy_document" "job" {
  for_each = local.roles

  statement {
    sid     = "OwnPartOfTheStore"
    actions = ["s3:GetObject", "s3:PutObject"]
    resources = concat(
      [for part in ["requests", "comments", "applied", "leases", "drift"] : "${local.store}/${part}/${each.value.customer}/*"],
      [for part in ["unfinished", "seen"] : "${local.store}/${part}/${each.value.customer}.json"],
    )
  }

  # A sealed plan is read by the job that applies it alone, which may have to seal one again.
  statement {
    sid       = "SealedPlans"
    actions   = each.value.job == "plan" ? ["s3:PutObject"] : ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.store}/plans/${each.value.customer}/*"]
  }

  statement {
    sid     = "AuditLog"
    actions = ["s3:GetObject", "s3:PutObject"]
    resources = [
      "${local.audit}/records/${each.value.customer}/*",
      "${local.audit}/log/*",
    ]
  }

  statement {
    sid       = "Lists"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.store.arn, aws_s3_bucket.audit.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values = [
        "${var.store_prefix}/*/${each.value.customer}/*",
        "${var.store_prefix}/audit/*",
        "${each.value.customer}/*",
      ]
    }
  }

  statement {
    sid       = "OwnState"
    actions   = each.value.job == "plan" ? ["s3:GetObject"] : ["s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.store.arn}/${each.value.customer}/*/${each.value.environment}/terraform.tfstate"]
  }

  # A plan takes the lock as well.
  statement {
    sid       = "OwnLock"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.store.arn}/${each.value.customer}/*/${each.value.environment}/terraform.tfstate.tflock"]
  }
}

resource "aws_iam_role" "job" {
  for_each             = local.roles
  name                 = "tenantry-${substr(sha256(each.key), 0, 8)}-${each.value.job}"
  description          = "tenantry: ${each.value.job} of ${each.value.customer} in ${each.value.environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = each.value.job == "plan" ? 3600 : 10800
  tags = {
    customer    = each.value.customer
    environment = each.value.environment
  }
}

resource "aws_iam_role_policy" "job" {
  for_each = local.roles
  name     = "tenantry"
  role     = aws_iam_role.job[each.key].id
  policy   = data.aws_iam_policy_document.job[each.key].json
}

resource "aws_iam_role_policy_attachment" "job" {
  for_each = merge([
    for key, role in local.roles : { for arn in role.policies : "${key}/${arn}" => { role = key, arn = arn } }
  ]...)
  role       = aws_iam_role.job[each.value.role].name
  policy_arn = each.value.arn
}

# The jobs that run in no environment: intake, reconcile, reports. They plan and apply nothing.
data "aws_iam_policy_document" "manager_trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for subject in local.subjects : "${subject}:ref:refs/heads/${var.default_branch}"]
    }
  }
}

data "aws_iam_policy_document" "manager" {
  statement {
    sid       = "Store"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.store}/*", "${local.audit}/*"]
  }

  statement {
    sid       = "Lists"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.store.arn, aws_s3_bucket.audit.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.store_prefix}/*"]
    }
  }
}

resource "aws_iam_role" "manager" {
  name               = "tenantry-manager"
  description        = "tenantry: intake, reconcile and reports"
  assume_role_policy = data.aws_iam_policy_document.manager_trust.json
  # The final report may wait for an hour until a limit of GitHub ends.
  max_session_duration = 7200
}

resource "aws_iam_role_policy" "manager" {
  name   = "tenantry"
  role   = aws_iam_role.manager.id
  policy = data.aws_iam_policy_document.manager.json
}
