using MixedPrecision.Calibration.Autodiff;
using MixedPrecision.Calibration.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration.Losses;

/// <summary>
/// The loss g of one sample as a function of one output of the model, and its gradient, both run by ONNX Runtime:
/// <list type="bullet">
/// <item>cross-entropy: mean over the positions of −log p(label), the output's last axis being the classes;</item>
/// <item>next-token: the same, each position's label being the token at the next position;</item>
/// <item>output-mse: vᵀy with random signs v, so that E[(vᵀΔy)²] = ‖Δy‖² (design, section 5).</item>
/// </list>
/// </summary>
public sealed class LossFunction : IDisposable
{
    private const string Prediction = "prediction";
    private const string Target = "target";
    private const string Loss = "loss";
    private readonly Session session;
    private readonly string gradient;
    private readonly string? tokens;

    private LossFunction(LossKind kind, string output, string? tokens, bool isProbability)
    {
        Kind = kind;
        Output = output;
        IsProbability = isProbability;
        this.tokens = tokens;
        (ModelProto model, gradient) = Build(kind, isProbability);
        session = Session.Create(model, SessionSettings.Plain);
    }

    public LossKind Kind { get; }

    /// <summary>The model output the loss reads.</summary>
    public string Output { get; }

    /// <summary>Whether the output is a probability already, so that the loss takes its logarithm and no softmax.</summary>
    public bool IsProbability { get; }

    /// <summary>The name policies use.</summary>
    public string Name => Kind switch
    {
        LossKind.CrossEntropy => "cross-entropy",
        LossKind.NextToken => "next-token",
        _ => "output-mse",
    };

    /// <summary>The loss of a policy on a model. Without one in the policy: cross-entropy when labels are named, else output-mse.</summary>
    /// <exception cref="MixedPrecisionException">MPB4xxx: the model has no such output, or none that fits the loss.</exception>
    public static LossFunction Create(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, CalibrationPolicy policy, string policyFile)
    {
        LossKind kind = policy.Loss ?? (policy.Labels is null ? LossKind.OutputMse : LossKind.CrossEntropy);
        string[] outputs = [.. model.Graph.Output.Select(o => o.Name)];
        string? output = policy.Output is null
            ? outputs.FirstOrDefault(o => ElementType.IsFloating(types[o].ElementType))
            : outputs.FirstOrDefault(o => o == policy.Output);
        if (output is null || !ElementType.IsFloating(types[output].ElementType))
        {
            throw Errors.LossOutputUnusable(policyFile, policy.Output ?? "", outputs);
        }

        NodeProto? last = model.Graph.Node.FirstOrDefault(n => n.Output.Contains(output));
        string? tokens = kind == LossKind.NextToken
            ? model.Inputs.FirstOrDefault(i => TensorType.Read(i.Type) is { ElementType: ElementType.Int64 or ElementType.Int32, Rank: 2 })?.Name
                ?? throw Errors.LossNeedsTokens(policyFile)
            : null;
        return new LossFunction(kind, output, tokens, last?.OpType == "Softmax");
    }

    /// <summary>
    /// What the loss of one sample is taken against: labels (those of the sample, or the argmax of the original model's output), next
    /// tokens, or random signs.
    /// </summary>
    /// <param name="number">Number of the sample, which seeds the signs.</param>
    /// <param name="prediction">The original model's output.</param>
    /// <exception cref="MixedPrecisionException">MPB4xxx: the labels do not fit the output.</exception>
    public Tensor TargetOf(Sample sample, int number, Tensor prediction) => Kind switch
    {
        LossKind.OutputMse => Signs(prediction.Shape, number),
        LossKind.NextToken => NextTokens(sample.Inputs[tokens!], sample.Place, prediction),
        _ => Labels(sample, prediction),
    };

    /// <summary>Whether noise raises the loss in the mean, so that a second-order term counts: true for likelihoods.</summary>
    public bool HasCurvature => Kind != LossKind.OutputMse;

    /// <summary>A target with every label that counts drawn from the model's own distribution, and the number of such labels.</summary>
    /// <param name="number">Number of the sample, which seeds the draw.</param>
    public (int Terms, Tensor Target) DrawTarget(Tensor prediction, Tensor target, int number)
    {
        ReadOnlySpan<long> labels = target.Values<long>();
        ReadOnlySpan<float> scores = prediction.Values<float>();
        int classes = scores.Length / labels.Length, terms = 0;
        var probabilities = new float[classes];
        var drawn = labels.ToArray();
        var random = new Random(unchecked((int)0x85EBCA6B) + number);
        for (int row = 0; row < drawn.Length; row++)
        {
            if (drawn[row] < 0)
            {
                continue;
            }

            terms++;
            ReadOnlySpan<float> rowScores = scores.Slice(row * classes, classes);
            if (IsProbability)
            {
                rowScores.CopyTo(probabilities);
            }
            else
            {
                TensorPrimitives.SoftMax(rowScores, probabilities);
            }

            double left = random.NextDouble() * TensorPrimitives.Sum<float>(probabilities);
            int label = 0;
            while (label < classes - 1 && (left -= probabilities[label]) >= 0)
            {
                label++;
            }

            drawn[row] = label;
        }

        return (terms, Tensor.Of<long>(drawn, drawn.Length));
    }

    /// <summary>The loss of an output against a target.</summary>
    public double Value(Tensor prediction, Tensor target) => Run(prediction, target, [Loss])[Loss].Values<float>()[0];

    /// <summary>The loss and its gradient, which has the output's shape.</summary>
    public (double Value, Tensor Gradient) ValueAndGradient(Tensor prediction, Tensor target)
    {
        IReadOnlyDictionary<string, Tensor> results = Run(prediction, target, [Loss, gradient]);
        return (results[Loss].Values<float>()[0], results[gradient]);
    }

    /// <summary>g² of one sample as the budget counts it: for output-mse its expectation over the signs, ‖y‖².</summary>
    public double SquareLoss(Tensor prediction, double loss) => Kind == LossKind.OutputMse ? SumOfSquares(prediction.Values<float>()) : loss * loss;

    /// <summary>
    /// g² and (g′ − g)² of one sample as the budget counts them: for output-mse the exact expectations over the signs, ‖y‖² and ‖y′ − y‖².
    /// </summary>
    public (double SquareLoss, double SquareChange, double Change) Compare(Tensor original, Tensor mixed, Tensor target)
    {
        if (Kind == LossKind.OutputMse)
        {
            var difference = new float[original.Count];
            TensorPrimitives.Subtract(mixed.Values<float>(), original.Values<float>(), difference);
            return (SumOfSquares(original.Values<float>()), SumOfSquares(difference), 0);
        }

        double before = Value(original, target), after = Value(mixed, target);
        return (before * before, (after - before) * (after - before), after - before);
    }

    public void Dispose() => session.Dispose();

    private static double SumOfSquares(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += (double)value * value;
        }

        return sum;
    }

    private IReadOnlyDictionary<string, Tensor> Run(Tensor prediction, Tensor target, string[] outputs) =>
        session.Run(new Dictionary<string, Tensor> { [Prediction] = AsRows(prediction), [Target] = target }, outputs) is var results && results.ContainsKey(gradient)
            ? new Dictionary<string, Tensor>(results) { [gradient] = new Tensor(ElementType.Float, prediction.Shape, results[gradient].Bytes) }
            : results;

    /// <summary>The output with all axes but the last made one; next-token keeps all rows, the last of each sequence has label −1.</summary>
    private static Tensor AsRows(Tensor prediction)
    {
        long last = prediction.Rank == 0 ? 1 : prediction.Shape[^1];
        return new Tensor(prediction.ElementType, [last == 0 ? 0 : prediction.Count / last, last], prediction.Bytes);
    }

    private static Tensor Signs(long[] shape, int number)
    {
        var random = new Random(unchecked((int)0x9E3779B9) + number);
        var signs = new float[Tensor.ElementCount(shape)];
        for (int i = 0; i < signs.Length; i++)
        {
            signs[i] = random.Next(2) == 0 ? -1 : 1;
        }

        return AsRows(Tensor.Of<float>(signs, shape));
    }

    private static Tensor Labels(Sample sample, Tensor prediction)
    {
        Tensor rows = AsRows(prediction);
        int count = (int)rows.Shape[0], classes = (int)rows.Shape[1];
        if (sample.Label is null)
        {
            var predicted = new long[count];
            for (int row = 0; row < count; row++)
            {
                predicted[row] = TensorPrimitives.IndexOfMax(rows.Values<float>().Slice(row * classes, classes));
            }

            return Tensor.Of<long>(predicted, count);
        }

        ReadOnlySpan<long> labels = sample.Label.Values<long>();
        if (labels.Length != count)
        {
            throw Errors.LabelsDoNotFit(sample.Place, $"{labels.Length} labels", $"{count} (the output has shape [{string.Join(", ", prediction.Shape)}])");
        }

        foreach (long label in labels)
        {
            if (label < 0 || label >= classes)
            {
                throw Errors.LabelsDoNotFit(sample.Place, $"label {label}", $"0 to {classes - 1}, the classes of the model's output");
            }
        }

        return Tensor.Of(labels, count);
    }

    private static Tensor NextTokens(Tensor tokens, Place sample, Tensor prediction)
    {
        if (prediction.Rank != 3 || prediction.Shape[0] != tokens.Shape[0] || prediction.Shape[1] != tokens.Shape[1] || tokens.Shape[1] < 2)
        {
            throw Errors.LabelsDoNotFit(sample, $"tokens [{string.Join(", ", tokens.Shape)}] and output [{string.Join(", ", prediction.Shape)}]", "an output of [batch, sequence, vocabulary] with at least 2 positions");
        }

        int sequence = (int)tokens.Shape[1];
        var next = new long[tokens.Count];
        for (int i = 0; i < next.Length; i++)
        {
            next[i] = (i + 1) % sequence == 0 ? -1
                : tokens.ElementType == ElementType.Int64 ? tokens.Values<long>()[i + 1] : tokens.Values<int>()[i + 1];
        }

        return Tensor.Of<long>(next, next.Length);
    }

    /// <summary>The loss and its gradient as one model: [rows, classes] and [rows] (or signs [rows, classes]) → a scalar and [rows, classes].</summary>
    private static (ModelProto Model, string Gradient) Build(LossKind kind, bool isProbability)
    {
        var rows = new Dimension(null, "rows");
        var classes = new Dimension(null, "classes");
        var prediction = new TensorType(ElementType.Float, [rows, classes]);
        TensorType target = kind == LossKind.OutputMse ? prediction : new TensorType(ElementType.Int64, [rows]);
        var graph = new GraphProto { Name = Loss };
        graph.Input.Add(prediction.ToProto(Prediction));
        graph.Input.Add(target.ToProto(Target));
        graph.Output.Add(new TensorType(ElementType.Float, []).ToProto(Loss));
        var b = new GraphBuilder([Prediction, Target, Loss]);
        if (kind == LossKind.OutputMse)
        {
            b.NodeTo([Loss], "ReduceSum", "", [b.Mul(Prediction, Target)], Attributes.Of("keepdims", 0));
        }
        else
        {
            // Labels below 0 do not count: their rows are multiplied by 0, and the mean is over the rest.
            string counts = b.Cast(b.Node("GreaterOrEqual", [Target, b.Scalar(0, ElementType.Int64)]), ElementType.Float);
            string label = b.Unsqueeze(b.Node("Max", [Target, b.Scalar(0, ElementType.Int64)]), 1);
            string logarithms = isProbability
                ? b.Node("Log", [b.Add(Prediction, b.Scalar(1e-12))])
                : b.Node("LogSoftmax", [Prediction], Attributes.Of("axis", 1));
            string chosen = b.Squeeze(b.Node("GatherElements", [logarithms, label], Attributes.Of("axis", 1)), 1);
            string sum = b.ReduceSum(b.Mul(chosen, counts));
            b.NodeTo([Loss], "Neg", "", [b.Div(sum, b.ReduceSum(counts))]);
        }

        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        using var loaded = new OnnxModel(model, Path.GetTempPath(), Loss);
        var gradients = new GraphBuilder(GraphBuilder.NamesIn(graph), "gradient/");
        string seed = gradients.Scalar(1);
        string gradient = Differentiation.Differentiate(graph, TypeInference.Infer(loaded), gradients, new Dictionary<string, string> { [Loss] = seed }, [Prediction])[Prediction];
        gradients.AppendTo(graph);
        graph.Output.Add(prediction.ToProto(gradient));
        return (model, gradient);
    }
}
