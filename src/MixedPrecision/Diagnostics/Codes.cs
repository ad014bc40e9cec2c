namespace MixedPrecision.Diagnostics;

/// <summary>The identity of a diagnostic: its code and its title. Cause and remedy stand in build/docs/errors.md.</summary>
public sealed record ErrorCode(string Id, string Title);

/// <summary>
/// Every code a user can meet, once. Numbers within a range have no gap; a retired code stays here, marked.
/// 1xxx policy, 2xxx model, 3xxx data, 4xxx calibration, 5xxx benchmark, 6xxx solver, 7xxx quantization and
/// verification, 8xxx cache and files, 9xxx build and command line.
/// The factory methods stand in <see cref="Errors"/>, one file per range.
/// </summary>
public static class Codes
{
    // 1xxx: policy
    public static readonly ErrorCode PolicyNotFound = new("MPB1001", "policy not found");
    public static readonly ErrorCode PolicyUnreadable = new("MPB1002", "policy cannot be read");
    public static readonly ErrorCode PolicyNotYaml = new("MPB1003", "policy is not YAML");
    public static readonly ErrorCode PolicyYamlUnsupported = new("MPB1004", "policy uses a YAML feature that is not taken");
    public static readonly ErrorCode PolicyUnknownKey = new("MPB1005", "unknown key in the policy");
    public static readonly ErrorCode PolicyDuplicateKey = new("MPB1006", "key given twice in the policy");
    public static readonly ErrorCode PolicyMissingKey = new("MPB1007", "key missing in the policy");
    public static readonly ErrorCode PolicyWrongType = new("MPB1008", "value of the wrong type in the policy");
    public static readonly ErrorCode PolicyUnknownName = new("MPB1009", "unknown name in the policy");
    public static readonly ErrorCode PolicyImpossibleValue = new("MPB1010", "impossible value in the policy");
    public static readonly ErrorCode PolicyRuleMatchesNothing = new("MPB1011", "rule matches no layer");
    public static readonly ErrorCode PolicyPinnedFormatDoesNotApply = new("MPB1012", "pinned format does not apply");
    public static readonly ErrorCode CalibrationDataNotNamed = new("MPB1013", "calibration data not named");
    public static readonly ErrorCode BudgetDoesNotSuit = new("MPB1014", "budget does not suit the loss");

    public static readonly ErrorCode BudgetLarge = new("MPB1015", "large budget");
    public static readonly ErrorCode BudgetFinerThanALabel = new("MPB1016", "budget finer than one label");
    public static readonly ErrorCode MoreThreadsThanProcessors = new("MPB1017", "more threads than processors");
    public static readonly ErrorCode RulesContradict = new("MPB1018", "rules leave no format");
    public static readonly ErrorCode FormatCannotBeShared = new("MPB1019", "layers cannot share a format");

    // 2xxx: model
    public static readonly ErrorCode ModelNotFound = new("MPB2001", "model not found");
    public static readonly ErrorCode ModelNotOnnx = new("MPB2002", "not an ONNX model");
    public static readonly ErrorCode ExternalDataMissing = new("MPB2003", "external data missing");
    public static readonly ErrorCode ExternalDataOutside = new("MPB2004", "external data outside of the model's folder");
    public static readonly ErrorCode ExternalDataInvalid = new("MPB2005", "external data reference damaged");
    public static readonly ErrorCode TensorInvalid = new("MPB2006", "tensor invalid");
    public static readonly ErrorCode GraphInvalid = new("MPB2007", "graph invalid");
    public static readonly ErrorCode RuntimeRejects = new("MPB2008", "ONNX Runtime rejects the model");
    public static readonly ErrorCode TensorTooLarge = new("MPB2009", "tensor too large to be read");

    // 3xxx: data
    public static readonly ErrorCode DataNotFound = new("MPB3001", "data not found");
    public static readonly ErrorCode DataUnreadable = new("MPB3002", "data cannot be read");
    public static readonly ErrorCode DataFormatUnknown = new("MPB3003", "unknown data format");
    public static readonly ErrorCode DataNotJson = new("MPB3004", "line is not JSON");
    public static readonly ErrorCode DataEmpty = new("MPB3005", "no samples");
    public static readonly ErrorCode DataMissingKey = new("MPB3006", "input or label missing in the data");
    public static readonly ErrorCode DataWrongType = new("MPB3007", "value of the wrong type in the data");
    public static readonly ErrorCode DataRagged = new("MPB3008", "arrays of unequal length in the data");
    public static readonly ErrorCode DataWrongShape = new("MPB3009", "wrong shape in the data");
    public static readonly ErrorCode DataNotNumpy = new("MPB3010", "not a NumPy file");
    public static readonly ErrorCode DataInputUnsupported = new("MPB3011", "model input of a type that data cannot give");
    public static readonly ErrorCode DataImageInvalid = new("MPB3012", "image cannot be used");
    public static readonly ErrorCode DataInputsNotGiven = new("MPB3013", "data does not give the model's inputs");
    public static readonly ErrorCode DataLabelsInvalid = new("MPB3014", "labels not well-formed");
    public static readonly ErrorCode TokenizerUnusable = new("MPB3015", "tokenizer cannot be used");
    public static readonly ErrorCode SyntheticInputsFail = new("MPB3016", "model does not run on synthetic inputs");

    public static readonly ErrorCode DimensionSizesDiffer = new("MPB3017", "one name for two sizes");
    public static readonly ErrorCode EvaluationSeen = new("MPB3018", "evaluation samples seen before");
    public static readonly ErrorCode SingleSample = new("MPB3019", "a single sample");
    public static readonly ErrorCode DataNotTable = new("MPB3020", "not a table");
    public static readonly ErrorCode DataBeyondTable = new("MPB3021", "token beyond the model's table");
    public static readonly ErrorCode DataNotFinite = new("MPB3022", "value without a JSON form");

    // 4xxx: calibration
    public static readonly ErrorCode NoGradientRule = new("MPB4001", "operator without a gradient");
    public static readonly ErrorCode RankUnknown = new("MPB4002", "rank of a value unknown");
    public static readonly ErrorCode GradientRequest = new("MPB4003", "gradient asked for of what has none");
    public static readonly ErrorCode LossOutputUnusable = new("MPB4004", "output that the loss cannot read");
    public static readonly ErrorCode LossNeedsTokens = new("MPB4005", "loss needs tokens");
    public static readonly ErrorCode LabelsDoNotFit = new("MPB4006", "labels do not fit the output");
    public static readonly ErrorCode LayersNotReached = new("MPB4007", "loss does not depend on layers");
    public static readonly ErrorCode NoLayerReached = new("MPB4008", "no layer can be calibrated");
    public static readonly ErrorCode LossGraphUnusable = new("MPB4009", "loss graph cannot be used");

    public static readonly ErrorCode LossNotFinite = new("MPB4010", "loss is no number");
    public static readonly ErrorCode LayersNotFinite = new("MPB4011", "values that are no numbers");
    public static readonly ErrorCode LayersNotSeen = new("MPB4012", "layers that calibration saw nothing of");

    // 5xxx: benchmark
    public static readonly ErrorCode ScenarioDimensionUnknown = new("MPB5001", "scenario names an unknown dimension");
    public static readonly ErrorCode ScenarioDoesNotRun = new("MPB5002", "scenario does not run");
    public static readonly ErrorCode ScenarioTooLarge = new("MPB5003", "scenario too large");
    public static readonly ErrorCode SubgraphDoesNotRun = new("MPB5004", "sub-graph does not run");
    public static readonly ErrorCode ProfileInvalid = new("MPB5005", "profile cannot be used");
    public static readonly ErrorCode ProfileDiffers = new("MPB5006", "profile of other conditions");
    public static readonly ErrorCode ProfileLacks = new("MPB5007", "timings missing in the profile");

    // 6xxx: solver
    public static readonly ErrorCode BudgetInfeasible = new("MPB6001", "budget infeasible");
    public static readonly ErrorCode RulesOverBudget = new("MPB6002", "rules over the budget");
    public static readonly ErrorCode SizeNotMet = new("MPB6003", "size limit not met");
    public static readonly ErrorCode SlowerForSize = new("MPB6004", "slower for its size");

    // 7xxx: quantization and verification
    public static readonly ErrorCode EmittedModelDoesNotRun = new("MPB7001", "emitted model does not run");
    public static readonly ErrorCode EmittedModelDiffersFromPlan = new("MPB7002", "emitted model differs from the plan");

    public static readonly ErrorCode NothingGained = new("MPB7003", "original model kept");
    public static readonly ErrorCode KernelNotAsPromised = new("MPB7004", "layer not in the promised kernel");
    public static readonly ErrorCode OutputsDisagree = new("MPB7005", "optimizations change the outputs");
    public static readonly ErrorCode NotRepeatable = new("MPB7006", "model differs from run to run");
    public static readonly ErrorCode LossOutputChangesSize = new("MPB7007", "loss's output changes its size");

    // 8xxx: cache and files
    public static readonly ErrorCode CacheNotWritable = new("MPB8001", "cache folder not writable");
    public static readonly ErrorCode LockUnavailable = new("MPB8002", "lock unavailable");
    public static readonly ErrorCode CacheEntryDamaged = new("MPB8003", "cached result damaged");
    public static readonly ErrorCode OutputNotWritable = new("MPB8004", "output folder not writable");
    public static readonly ErrorCode OutputOverwrites = new("MPB8005", "output would overwrite another file");
    public static readonly ErrorCode TemporaryFolderNotWritable = new("MPB8006", "temporary folder not writable");
    public static readonly ErrorCode FileUnusable = new("MPB8007", "file cannot be read or written");
    public static readonly ErrorCode LockMissing = new("MPB8008", "lock missing");
    public static readonly ErrorCode LockInvalid = new("MPB8009", "lock cannot be used");
    public static readonly ErrorCode LockModelDrift = new("MPB8010", "model is not the locked one");
    public static readonly ErrorCode LockPolicyDrift = new("MPB8011", "policy is not the locked one");
    public static readonly ErrorCode LockDataDrift = new("MPB8012", "data are not the locked ones");
    public static readonly ErrorCode LockOfOtherVersion = new("MPB8013", "lock of another version");
    public static readonly ErrorCode LockPlanDrift = new("MPB8014", "locked plan does not come out");
    public static readonly ErrorCode PolicyExists = new("MPB8015", "policy exists");
    public static readonly ErrorCode CacheArchiveInvalid = new("MPB8016", "cache archive cannot be used");

    // 9xxx: build and command line
    public static readonly ErrorCode ToolFailed = new("MPB9001", "tool failed");
    public static readonly ErrorCode InvalidCommandLine = new("MPB9002", "invalid command line");
    public static readonly ErrorCode Defect = new("MPB9003", "defect of the tool");
    public static readonly ErrorCode MemoryExhausted = new("MPB9004", "memory exhausted");
    public static readonly ErrorCode LayerUnknown = new("MPB9005", "layer unknown");
    public static readonly ErrorCode TwoModelsOfOneName = new("MPB9006", "two models of one name");
    public static readonly ErrorCode OriginalPublishedToo = new("MPB9007", "original and emitted model published");
    public static readonly ErrorCode ModelNotReplaced = new("MPB9008", "model cannot be replaced");
}
